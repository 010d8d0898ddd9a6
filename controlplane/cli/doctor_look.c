/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/udp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "controlplane/api/client.h"
#include "controlplane/cli/say.h"
#include "controlplane/record/identity.h"
#include "dataplane/wire/aead/aead.h"

#define USER       "vx6"
#define STATUS_MS  5000 /* for vx6d to say how it is */
#define PORT_START 1024u
#define SMALL      64u
#define UNIT       "vx6-dataplane.service"

bool doctor_read(const char *path, char *out, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	out[0] = '\0';
	if (fd < 0)
		return false;
	n = read(fd, out, len - 1);
	close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

unsigned doctor_split(char *line, char *word[], unsigned most)
{
	char *rest = NULL;
	unsigned n = 0;

	for (char *w = strtok_r(line, " \t\n", &rest); w != NULL && n < most;
	     w = strtok_r(NULL, " \t\n", &rest))
		word[n++] = w;
	return n;
}

bool doctor_hex(const char *word, uint32_t *out)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(word, &end, 16);
	*out = (uint32_t)v;
	return end != word && *end == '\0' && errno == 0 && v <= UINT32_MAX;
}

/* number reads a file of one number. */
static bool number(const char *path, uint64_t *out)
{
	char text[SMALL], *end;

	if (!doctor_read(path, text, sizeof(text)))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return end != text && errno == 0;
}

/* line reads the number behind name in a text of lines "name: number". */
static uint64_t line(const char *text, const char *name, int base)
{
	const char *at = strstr(text, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, base);
}

static enum doctor_word word(bool yes)
{
	return yes ? DOCTOR_YES : DOCTOR_NO;
}

/* ---- the kernel ---- */

static void look_kernel(struct doctor_facts *f)
{
	struct utsname u;
	struct statfs fs;
	uint64_t n;
	char *end;
	int fd;

	if (uname(&u) == 0) {
		snprintf(f->release, sizeof(f->release), "%.64s", u.release);
		f->version[0] = (unsigned)strtoul(u.release, &end, 10);
		if (*end == '.')
			f->version[1] = (unsigned)strtoul(end + 1, NULL, 10);
	}
	f->btf = word(access("/sys/kernel/btf/vmlinux", F_OK) == 0);
	f->bpffs = word(statfs("/sys/fs/bpf", &fs) == 0 &&
			(unsigned long)fs.f_type == BPF_FS_MAGIC);
	if (number("/proc/sys/net/core/bpf_jit_enable", &n))
		f->jit = word(n != 0);
	if (number("/proc/sys/kernel/unprivileged_bpf_disabled", &n))
		f->unprivileged_bpf = word(n == 0);
	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || errno == EAFNOSUPPORT)
		f->af_xdp = word(fd >= 0);
}

static void look_memory(struct doctor_facts *f)
{
	char text[4096];

	if (!doctor_read("/proc/meminfo", text, sizeof(text)))
		return;
	f->huge_all = line(text, "HugePages_Total:", 10);
	f->huge_free = line(text, "HugePages_Free:", 10);
	f->huge_kib = line(text, "Hugepagesize:", 10);
}

static void look_sockets(struct doctor_facts *f)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	(void)number("/proc/sys/net/core/rmem_max", &f->rmem_max);
	(void)number("/proc/sys/net/core/wmem_max", &f->wmem_max);
	f->ipv6 = word(access("/proc/net/if_inet6", F_OK) == 0);
	if (fd < 0)
		return;
	f->gro = word(setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) ==
		      0);
	f->gso = word(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off,
				 sizeof(off)) == 0);
	close(fd);
}

void doctor_cpus(const char *list, cpu_set_t *out)
{
	CPU_ZERO(out);
	for (const char *at = list; *at >= '0' && *at <= '9'; at++) {
		char *end;
		unsigned long from = strtoul(at, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		for (; from <= to && from < CPU_SETSIZE; from++)
			CPU_SET(from, out);
		if (*end != ',')
			break;
		at = end;
	}
}

static void look_cpu(struct doctor_facts *f)
{
	char text[SMALL * 4];
	uint8_t byte;

	if (sched_getaffinity(0, sizeof(f->cpus), &f->cpus) != 0)
		CPU_ZERO(&f->cpus);
	(void)doctor_read("/sys/devices/system/cpu/online", text, sizeof(text));
	doctor_cpus(text, &f->online);
	__builtin_cpu_init();
	f->aes = word(__builtin_cpu_supports("aes") != 0);
	f->vaes = word(__builtin_cpu_supports("vaes") != 0);
	if (vx6_aead_start() == VX6_OK)
		snprintf(f->aead, sizeof(f->aead), "%s", vx6_aead_impl_name());
	f->entropy = word(getrandom(&byte, 1, GRND_NONBLOCK) == 1);
}

static void look_clock(struct doctor_facts *f)
{
	struct timex t = { 0 };
	int state = adjtimex(&t); /* modes 0: only asks */

	if (state >= 0)
		f->clock_synced = word(state != TIME_ERROR &&
				       (t.status & STA_UNSYNC) == 0);
}

/* ---- who we are and who runs the node ---- */

static bool unit_is_there(void)
{
	static const char *const dir[] = { "/etc", "/usr/local/lib",
					   "/usr/lib" };
	char path[SMALL * 2];

	for (unsigned i = 0; i < VX6_COUNT(dir); i++) {
		snprintf(path, sizeof(path), "%s/systemd/system/" UNIT, dir[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static void look_user(struct doctor_facts *f)
{
	const struct passwd *pw = NULL;
	char text[4096];
	uint64_t n;

	f->uid = f->user = geteuid();
	/* root's node runs as the user vx6, where there is one */
	pw = f->uid == 0 ? getpwnam(USER) : NULL;
	if (pw != NULL)
		f->user = pw->pw_uid;
	else
		pw = getpwuid(f->uid);
	if (pw != NULL)
		snprintf(f->user_name, sizeof(f->user_name), "%.31s",
			 pw->pw_name);
	else
		snprintf(f->user_name, sizeof(f->user_name), "%u", f->uid);
	if (doctor_read("/proc/self/status", text, sizeof(text)))
		f->caps = line(text, "CapEff:", 16);
	f->unit = unit_is_there();
	f->port_start = PORT_START;
	if (number("/proc/sys/net/ipv4/ip_unprivileged_port_start", &n) &&
	    n <= UINT16_MAX)
		f->port_start = (unsigned)n;
}

static void look_file(struct doctor_file *file, bool directory)
{
	struct stat st;

	if (lstat(file->path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			file->there = DOCTOR_NO;
		return;
	}
	file->there = DOCTOR_YES;
	file->kind_ok = directory ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode);
	file->mode = st.st_mode & 07777;
	file->uid = st.st_uid;
}

static void look_state(const struct config *cfg, struct doctor_facts *f)
{
	snprintf(f->state.path, sizeof(f->state.path), "%s", cfg->state);
	look_file(&f->state, true);
	snprintf(f->key.path, sizeof(f->key.path), "%s/%s", cfg->state,
		 IDENTITY_FILE);
	look_file(&f->key, false);
}

/* ---- what vx6d says ---- */

/* ask_status returns the answer of `status`, NULL where there is none. */
static json_t *ask_status(const struct config *cfg, struct doctor_facts *f)
{
	struct api_client c = { .fd = -1 };
	char path[CONFIG_PATH_TEXT + 16];
	json_t *msg = NULL, *result;
	enum vx6_status st;

	snprintf(path, sizeof(path), "%s/vx6d.sock", cfg->run);
	st = api_client_open(&c, path);
	f->vx6d_denied = st == VX6_DENIED;
	if (st != VX6_OK)
		return NULL;
	if (api_client_ask(&c, "status", NULL) != VX6_OK ||
	    api_client_next(&c, STATUS_MS, &msg) != VX6_OK)
		msg = NULL;
	api_client_close(&c);
	result = json_incref(json_object_get(msg, "result"));
	json_decref(msg);
	return result;
}

/* soft reads a soft limit from a process's table: "Max open files  N  .."
 * with "unlimited" for none. */
static bool soft(const char *text, const char *name, uint64_t *out)
{
	const char *at = strstr(text, name);
	char *end;

	if (at == NULL)
		return false;
	at += strlen(name);
	at += strspn(at, " ");
	*out = UINT64_MAX;
	if (strncmp(at, "unlimited", 9) == 0)
		return true;
	*out = strtoull(at, &end, 10);
	return end != at;
}

static void look_limits(struct doctor_facts *f)
{
	char path[SMALL], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/limits", f->vx6d_pid);
	f->limits_vx6d = f->vx6d && doctor_read(path, text, sizeof(text));
	if (!f->limits_vx6d &&
	    !doctor_read("/proc/self/limits", text, sizeof(text)))
		return;
	(void)soft(text, "Max open files", &f->nofile);
	(void)soft(text, "Max locked memory", &f->memlock);
}

static void look_vx6d(const struct config *cfg, struct doctor_facts *f)
{
	char control[CONFIG_LISTEN_MAX][VX6_ADDR_TEXT] = { "" };
	json_t *doc = ask_status(cfg, f), *plane, *clock, *v;
	unsigned n = 0;
	size_t i;

	plane = json_object_get(doc, "dataplane");
	clock = json_object_get(doc, "clock");
	f->vx6d = doc != NULL;
	f->vx6d_pid = (int)json_integer_value(json_object_get(doc, "pid"));
	f->offset_s = json_integer_value(json_object_get(clock, "offset_s"));
	snprintf(f->plane, sizeof(f->plane), "%s", say_text(plane, "state"));
	snprintf(f->carries, sizeof(f->carries), "%s",
		 say_text(plane, "backend"));
	snprintf(f->why, sizeof(f->why), "%s", say_text(plane, "why"));
	snprintf(f->clock_warning, sizeof(f->clock_warning), "%s",
		 say_text(clock, "warning"));
	json_array_foreach(json_object_get(doc, "control"), i,
			   v) if (n < CONFIG_LISTEN_MAX)
		snprintf(control[n++], VX6_ADDR_TEXT, "%s", say_string(v));
	doctor_look_ports(cfg, control, n, say_text(plane, "listen"), f);
	json_decref(doc);
	look_limits(f);
}

void doctor_look(const struct config *cfg, const char *file,
		 struct doctor_facts *out)
{
	*out = (struct doctor_facts){ 0 };
	out->wants_xdp = cfg->data.enabled &&
			 cfg->data.backend == CONFIG_BACKEND_AF_XDP;
	look_kernel(out);
	look_memory(out);
	look_sockets(out);
	look_cpu(out);
	look_clock(out);
	look_user(out);
	look_state(cfg, out);
	look_vx6d(cfg, out);
	doctor_look_ifs(cfg, out);
	doctor_look_boxes(cfg, file, out);
	doctor_look_dpdk(cfg, &out->dpdk);
}
