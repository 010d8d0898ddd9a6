/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/api/conn.h"
#include "controlplane/loop/loop.h"

#define BACKLOG    64
#define ACCEPT_MAX 16u /* a turn */
#define GROUPS_MAX 1024u
#define READ_LEN   16384u
#define PAUSE_NS   VX6_SEC /* before accept is tried again without room */

struct client {
	struct client *next, *prev;
	struct api_server *server;
	struct api_conn conn;
	struct loop_fd *watch;
	struct loop_task flush;
	int fd;
};

struct api_server {
	struct api_options opt;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer pause;
	struct client *clients;
	uint32_t client_cnt;
	int fd;
	bool has_gid;
	gid_t gid;
};

/* ---- who may ask ---- */

static bool in_groups(int fd, gid_t gid)
{
	gid_t list[GROUPS_MAX];
	socklen_t len = sizeof(list);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(list[0]); i++)
		if (list[i] == gid)
			return true;
	return false;
}

static bool is_owner(const struct ucred *who)
{
	return who->uid == 0 || who->uid == geteuid();
}

static bool may_ask(const struct api_server *s, int fd, const struct ucred *who)
{
	if (is_owner(who))
		return true;
	return s->has_gid && (who->gid == s->gid || in_groups(fd, s->gid));
}

/* ---- one client ---- */

static void client_release(struct client *cl)
{
	api_conn_end(&cl->conn);
	loop_task_clear(&cl->flush);
	loop_fd_close(cl->watch);
	close(cl->fd);
	cl->server->client_cnt--;
	free(cl);
}

static void client_free(struct client *cl)
{
	if (cl->prev != NULL)
		cl->prev->next = cl->next;
	else
		cl->server->clients = cl->next;
	if (cl->next != NULL)
		cl->next->prev = cl->prev;
	client_release(cl);
}

/* write_out hands the kernel what it takes; false: the client is gone. */
static bool write_out(struct client *cl)
{
	for (;;) {
		size_t len;
		const char *out = api_conn_out(&cl->conn, &len);
		ssize_t n;

		if (len == 0)
			return true;
		n = send(cl->fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		api_conn_sent(&cl->conn, (size_t)n);
	}
}

static void client_flush(void *ctx)
{
	struct client *cl = ctx;
	size_t left;

	if (!write_out(cl) || cl->conn.state == API_CONN_DEAD) {
		client_free(cl);
		return;
	}
	api_conn_out(&cl->conn, &left);
	loop_fd_watch(cl->watch,
		      (cl->conn.state == API_CONN_OPEN ? LOOP_READ : 0) |
			      (left > 0 ? LOOP_WRITE : 0));
}

/* client_wake is called from inside the connection, so what it leads to
 * has to wait until the turn's callbacks are over. */
static void client_wake(void *ctx)
{
	struct client *cl = ctx;

	loop_task_add(&cl->flush);
}

static void client_read(struct client *cl)
{
	char in[READ_LEN];
	ssize_t n = recv(cl->fd, in, sizeof(in), MSG_DONTWAIT);
	size_t left;

	if (n > 0) {
		api_conn_feed(&cl->conn, in, (size_t)n);
	} else if (n == 0) {
		/* who shut down only its sending still gets what is queued */
		api_conn_out(&cl->conn, &left);
		cl->conn.state = left > 0 ? API_CONN_LAST : API_CONN_DEAD;
		loop_task_add(&cl->flush);
	} else if (errno != EAGAIN && errno != EINTR) {
		cl->conn.state = API_CONN_DEAD;
		loop_task_add(&cl->flush);
	}
}

static void client_event(void *ctx, unsigned events)
{
	struct client *cl = ctx;

	if ((events & (LOOP_READ | LOOP_HUP)) != 0 &&
	    cl->conn.state == API_CONN_OPEN)
		client_read(cl);
	if ((events & (LOOP_WRITE | LOOP_HUP)) != 0)
		loop_task_add(&cl->flush);
}

/* client_new takes fd over, also when it fails. */
static struct client *client_new(struct api_server *s, int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (cl == NULL)
		goto fail;
	cl->server = s;
	cl->fd = fd;
	loop_task_init(&cl->flush, s->loop, client_flush, cl);
	if (loop_fd_open(s->loop, fd, client_event, cl, &cl->watch) != VX6_OK)
		goto fail;
	if (api_conn_init(&cl->conn, &s->opt, client_wake, cl) != VX6_OK) {
		loop_fd_close(cl->watch);
		goto fail;
	}
	cl->next = s->clients;
	if (s->clients != NULL)
		s->clients->prev = cl;
	s->clients = cl;
	s->client_cnt++;
	loop_fd_watch(cl->watch, LOOP_READ);
	return cl;
fail:
	free(cl);
	close(fd);
	return NULL;
}

static void welcome(struct api_server *s, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	struct client *cl;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0) {
		close(fd);
		return;
	}
	cl = client_new(s, fd);
	if (cl == NULL)
		return;
	cl->conn.owner = is_owner(&who);
	if (!may_ask(s, fd, &who))
		api_conn_refuse(&cl->conn, API_DENIED,
				"this user may not ask vx6d",
				"become a member of the group that owns the "
				"socket, or root");
	else if (s->client_cnt > s->opt.clients)
		api_conn_refuse(&cl->conn, API_FAILED,
				"vx6d has as many clients as it allows",
				"close another one first");
}

/* ---- the listening socket ---- */

static void listen_again(void *ctx)
{
	struct api_server *s = ctx;

	loop_fd_watch(s->watch, LOOP_READ);
}

static void listen_event(void *ctx, unsigned events)
{
	struct api_server *s = ctx;

	(void)events;
	for (unsigned i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(s->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			welcome(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			/* it stays readable: do not spin on it */
			loop_fd_watch(s->watch, 0);
			loop_timer_set(&s->pause, loop_now(s->loop) + PAUSE_NS);
		}
		return;
	}
}

/* make_room removes a socket file that nobody answers on. */
static enum vx6_status make_room(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, r;

	if (lstat(sa->sun_path, &st) != 0)
		return errno == ENOENT ? VX6_OK : VX6_SYS;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return VX6_SYS;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return VX6_SYS;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	if (r != 0 && errno != ECONNREFUSED)
		r = errno == EAGAIN ? 0 : -2; /* EAGAIN: its backlog is full */
	close(fd);
	if (r == 0)
		return VX6_EXISTS;
	return r == -2 || unlink(sa->sun_path) != 0 ? VX6_SYS : VX6_OK;
}

static enum vx6_status listen_on(struct api_server *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	enum vx6_status st;
	mode_t before;
	int r;

	if (strlen(s->opt.path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return VX6_SYS;
	}
	memcpy(sa.sun_path, s->opt.path, strlen(s->opt.path) + 1);
	memcpy(s->path, sa.sun_path, sizeof(s->path));
	s->opt.path = s->path; /* the caller's goes away */
	st = make_room(&sa);
	if (st != VX6_OK)
		return st;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return VX6_SYS;
	before = umask(0117);
	r = bind(s->fd, (const struct sockaddr *)&sa, sizeof(sa));
	umask(before);
	if (r != 0)
		return VX6_SYS;
	/* not being allowed to leaves it ours alone, which is safe */
	if (s->has_gid && chown(s->opt.path, (uid_t)-1, s->gid) != 0)
		s->has_gid = false;
	return listen(s->fd, BACKLOG) == 0 ? VX6_OK : VX6_SYS;
}

enum vx6_status api_open(struct loop *loop, const struct api_options *opt,
			 struct api_server **server)
{
	struct api_server *s = calloc(1, sizeof(*s));
	const struct group *group;
	enum vx6_status st;
	int err;

	if (s == NULL)
		return VX6_NO_MEMORY;
	s->opt = *opt;
	s->loop = loop;
	s->fd = -1;
	api_options_fill(&s->opt);
	group = opt->group == NULL ? NULL : getgrnam(opt->group);
	if (group != NULL) {
		s->gid = group->gr_gid;
		s->has_gid = true;
	}
	loop_timer_init(&s->pause, loop, listen_again, s);
	st = listen_on(s);
	if (st == VX6_OK)
		st = loop_fd_open(loop, s->fd, listen_event, s, &s->watch);
	if (st != VX6_OK) {
		err = errno;
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		errno = err;
		return st;
	}
	loop_fd_watch(s->watch, LOOP_READ);
	*server = s;
	return VX6_OK;
}

void api_close(struct api_server *server)
{
	loop_timer_clear(&server->pause);
	loop_fd_close(server->watch);
	unlink(server->opt.path);
	close(server->fd);
	while (server->clients != NULL) {
		struct client *cl = server->clients;

		server->clients = cl->next;
		write_out(cl);
		client_release(cl);
	}
	free(server);
}
