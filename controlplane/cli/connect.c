/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A service of another node on a local port, and what becomes of it.
 *
 *     asked --hop..--> ready --moved, down, refused..--> disconnected
 *
 * A person sees the hops as they answer; a pipe gets the ready line alone,
 * `ready LISTEN MODE PATH`; with --json every event is a line. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/cli/ask.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/say.h"
#include "controlplane/cli/show.h"

#define HOPS_MAX 7u

/* ---- what is asked ---- */

static int add_path(struct cli *cli, const struct cli_args *args,
		    const char *opt, const char *member, json_t *to)
{
	const char *list = cli_opt(args, opt);
	json_t *path, *hop;
	size_t i;

	if (list == NULL)
		return CLI_OK;
	path = strcmp(list, "none") == 0 ? json_array() : say_split(list);
	json_object_set_new(to, member, path);
	if (json_array_size(path) > HOPS_MAX)
		return cli_usage(cli, args->cmd,
				 "--%s names %zu relays, %u are the most", opt,
				 json_array_size(path), HOPS_MAX);
	json_array_foreach(
		path, i,
		hop) if (json_string_length(hop) ==
			 0) return cli_usage(cli, args->cmd,
					     "--%s %s has an empty name in it",
					     opt, list);
	return CLI_OK;
}

static int request(struct cli *cli, const struct cli_args *args, json_t *to)
{
	const char *hops = cli_opt(args, "hops"), *via = cli_opt(args, "via");
	const char *size = cli_opt(args, "cell-size");
	char listen[VX6_ADDR_TEXT];
	unsigned n = 0, cell_size = 0;
	int code = say_addr(cli, "listen", cli_opt(args, "listen"), listen);

	if (code != CLI_OK)
		return code;
	if (strchr(args->pos[0], '.') == NULL)
		return cli_usage(cli, args->cmd,
				 "%s is no service: write owner.service",
				 args->pos[0]);
	if (hops != NULL && via != NULL)
		return cli_usage(cli, args->cmd,
				 "--hops draws the path, --via names it: say "
				 "one of them");
	if (hops != NULL)
		code = say_count(cli, "hops", hops, 0, HOPS_MAX, &n);
	if (code == CLI_OK && size != NULL)
		code = say_count(cli, "cell-size", size, 0, 1452, &cell_size);
	if (code == CLI_OK)
		code = add_path(cli, args, "via", "via", to);
	if (code == CLI_OK)
		code = add_path(cli, args, "spare-via", "spare_via", to);
	if (code != CLI_OK)
		return code;
	if (via == NULL && n == 0 && cli_opt(args, "spare-via") != NULL)
		return cli_usage(cli, args->cmd,
				 "--spare-via needs --via or --hops");
	if (hops != NULL)
		json_object_set_new(to, "hops", json_integer(n));
	if (size != NULL)
		json_object_set_new(to, "cell_size", json_integer(cell_size));
	json_object_set_new(to, "service", json_string(args->pos[0]));
	json_object_set_new(to, "listen", json_string(listen));
	json_object_set_new(to, "identify",
			    json_boolean(cli_opt(args, "identify") != NULL));
	json_object_set_new(to, "background",
			    json_boolean(cli_opt(args, "background") != NULL));
	json_object_set_new(to, "listen_any",
			    json_boolean(cli_opt(args, "listen-any") != NULL));
	return CLI_OK;
}

static void warn(struct cli *cli, const struct cli_args *args,
		 const json_t *asked)
{
	json_int_t hops = json_integer_value(json_object_get(asked, "hops"));
	size_t via = json_array_size(json_object_get(asked, "via"));

	if (hops == 1 || via == 1)
		cli_note(cli,
			 "note: one hop hides nothing from that hop, which "
			 "sees both ends");
	if (cli_opt(args, "identify") != NULL)
		cli_note(cli, "note: the owner is shown this node's ID");
}

/* ---- what is told ---- */

static void say_hop(struct cli *cli, const json_t *e)
{
	char ms[SHOW_TEXT_LEN] = "", name[64];
	bool col = cli->out_colour;
	const json_t *t = json_object_get(e, "ms");
	enum show_style style = json_is_true(json_object_get(e, "spare"))
					? SHOW_DIM
					: SHOW_PLAIN;

	if (!cli->out_tty)
		return;
	if (json_is_number(t))
		show_ms(ms, json_number_value(t));
	show_value(json_object_get(e, "node"), name, sizeof(name), SHOW_TEXT);
	fprintf(cli->out, "  %s%s%lld/%lld  %-15s %10s%s\n",
		show_on(col, style), style == SHOW_DIM ? "spare " : "hop   ",
		(long long)json_integer_value(json_object_get(e, "n")),
		(long long)json_integer_value(json_object_get(e, "of")), name,
		ms, show_off(col, style));
}

static void say_ready(struct cli *cli, const json_t *e, const char *service,
		      bool background)
{
	const json_t *path = json_object_get(e, "path");
	char text[512], build[SHOW_TEXT_LEN];
	bool col = cli->out_colour;

	if (!cli->out_tty) {
		fprintf(cli->out, "ready %s %s", say_text(e, "listen"),
			say_text(e, "mode"));
		for (size_t i = 0; i < json_array_size(path); i++)
			fprintf(cli->out, "%c%s", i == 0 ? ' ' : ',',
				say_string(json_array_get(path, i)));
		fputc('\n', cli->out);
		return;
	}
	fprintf(cli->out, "%sready%s %s%s%s is %s, ", show_on(col, SHOW_GOOD),
		show_off(col, SHOW_GOOD), show_on(col, SHOW_BOLD),
		say_text(e, "listen"), show_off(col, SHOW_BOLD), service);
	if (json_array_size(path) == 0)
		fputs("directly\n", cli->out);
	else
		fprintf(cli->out, "by %s, built in %s\n",
			show_value(path, text, sizeof(text), SHOW_PATH),
			show_ms(build, json_number_value(json_object_get(
					       e, "build_ms"))));
	fprintf(cli->out,
		background ? "      `vx6 disconnect %s` ends it\n"
			   : "      ^C ends it\n",
		say_text(e, "listen"));
}

static void say_moved(struct cli *cli, const json_t *e)
{
	char text[512], gap[SHOW_TEXT_LEN];

	cli_note(cli, "moved to %s after a gap of %s: %s",
		 show_value(json_object_get(e, "path"), text, sizeof(text),
			    SHOW_PATH),
		 show_ms(gap, json_number_value(json_object_get(e, "gap_ms"))),
		 say_text(e, "reason"));
}

static void say_event(struct cli *cli, const json_t *e, const char *service,
		      bool background)
{
	const char *kind = say_text(e, "event");

	if (cli->json) {
		json_dumpf(e, cli->out, JSON_COMPACT | JSON_REAL_PRECISION(9));
		fputc('\n', cli->out);
	} else if (strcmp(kind, "hop") == 0) {
		say_hop(cli, e);
	} else if (strcmp(kind, "ready") == 0) {
		say_ready(cli, e, service, background);
	} else if (!cli->err_tty) {
		return;
	} else if (strcmp(kind, "moved") == 0) {
		say_moved(cli, e);
	} else if (strcmp(kind, "down") == 0) {
		cli_note(cli, "down: %s", say_text(e, "reason"));
	} else if (strcmp(kind, "refused") == 0) {
		cli_note(cli, "a connection was refused: %s",
			 say_text(e, "message"));
	}
}

CLI_RUN(cli_connect)
{
	bool background = cli_opt(args, "background") != NULL;
	json_t *asked = json_object(), *event = NULL, *result = NULL;
	struct api_client c = { .fd = -1 };
	int code = request(cli, args, asked);

	if (code == CLI_OK)
		code = ask_open(cli, &c);
	if (code == CLI_OK) {
		warn(cli, args, asked);
		code = ask_send(cli, &c, "connect", json_incref(asked));
	}
	json_decref(asked);
	while (code == CLI_OK && result == NULL) {
		code = ask_next(cli, &c, -1, &event, &result);
		if (code == CLI_OK && event != NULL) {
			say_event(cli, event, args->pos[0], background);
			/* whoever waits for the ready line waits now */
			fflush(cli->out);
		}
		json_decref(event);
		event = NULL;
	}
	if (code == CLI_OK && !background)
		cli_note(cli, "the connection was ended by disconnect");
	json_decref(result);
	api_client_close(&c);
	return code;
}
