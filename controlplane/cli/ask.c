/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/ask.h"

#include <errno.h>
#include <string.h>

#include "controlplane/api/api.h"
#include "controlplane/cli/say.h"

#define LIST_MAX 1000000 /* entries that are asked for at all */

static int no_socket(struct cli *cli, const char *path, enum vx6_status st,
		     int err)
{
	char hint[256];

	if (st == VX6_UNREACHABLE)
		return cli_fail(cli, CLI_UNREACHABLE,
				"start it with `vx6 run`, or say where it runs "
				"with --run DIR",
				"vx6d is not running: nobody answers at %s",
				path);
	if (st == VX6_DENIED) {
		snprintf(hint, sizeof(hint),
			 "ask as root, or become a member of the group %s",
			 cli->cfg.api_group[0] == '\0' ? "vx6"
						       : cli->cfg.api_group);
		return cli_fail(cli, CLI_DENIED, hint,
				"this user may not open %s", path);
	}
	return cli_fail(cli, CLI_FAILED, "look at the directory named by --run",
			"%s cannot be opened: %s", path,
			st == VX6_MALFORMED ? "its name is too long"
					    : strerror(err));
}

int ask_open(struct cli *cli, struct api_client *c)
{
	char path[CLI_PATH_TEXT];
	enum vx6_status st;
	int code = CLI_OK;

	c->fd = -1;
	if (cli->cfg.run[0] == '\0')
		code = cli_config(cli);
	if (code != CLI_OK)
		return code;
	snprintf(path, sizeof(path), "%s/vx6d.sock", cli->cfg.run);
	st = api_client_open(c, path);
	return st == VX6_OK ? CLI_OK : no_socket(cli, path, st, errno);
}

static int went_away(struct cli *cli, enum vx6_status st)
{
	switch ((unsigned)st) {
	case VX6_EXPIRED:
		return cli_fail(cli, CLI_UNREACHABLE,
				"its log says what it is doing; end it with "
				"`kill` and start it again",
				"vx6d took the question and does not answer");
	case VX6_MALFORMED:
		return cli_fail(cli, CLI_FAILED,
				"vx6 and vx6d may be of different versions",
				"vx6d answered what is no answer");
	case VX6_NO_MEMORY:
		return cli_fail(cli, CLI_FAILED, "ask for less",
				"the answer does not fit into memory");
	default:
		return cli_fail(cli, CLI_UNREACHABLE,
				"its log says why; start it with `vx6 run`",
				"vx6d ended before it answered");
	}
}

int ask_send(struct cli *cli, struct api_client *c, const char *cmd,
	     json_t *args)
{
	enum vx6_status st = api_client_ask(c, cmd, args);

	/* who refuses us as a whole says so before it hangs up */
	if (st == VX6_OK || st == VX6_CLOSED)
		return CLI_OK;
	return went_away(cli, st);
}

static int refused(struct cli *cli, const json_t *msg)
{
	const json_t *e = json_object_get(msg, "error");
	const char *code = say_text(e, "code"), *what = say_text(e, "message");

	if (code[0] == '\0' || what[0] == '\0')
		return went_away(cli, VX6_MALFORMED);
	return cli_fail(cli, (int)api_code_of(code), say_text(e, "hint"), "%s",
			what);
}

int ask_next(struct cli *cli, struct api_client *c, int wait_ms, json_t **event,
	     json_t **result)
{
	json_t *msg = NULL;
	enum vx6_status st = api_client_next(c, wait_ms, &msg);
	int code = CLI_OK;

	*event = *result = NULL;
	if (st != VX6_OK)
		return went_away(cli, st);
	if (json_is_string(json_object_get(msg, "event"))) {
		json_object_del(msg, "id");
		*event = msg;
		return CLI_OK;
	}
	if (json_is_true(json_object_get(msg, "ok"))) {
		*result = json_object_get(msg, "result");
		if (json_is_object(*result))
			json_incref(*result);
		else
			code = went_away(cli, VX6_MALFORMED);
	} else {
		code = refused(cli, msg);
	}
	json_decref(msg);
	return code;
}

static int ask_on(struct cli *cli, struct api_client *c, const char *cmd,
		  json_t *args, json_t **result)
{
	int code = ask_send(cli, c, cmd, args);
	json_t *event = NULL;

	*result = NULL;
	while (code == CLI_OK && *result == NULL) {
		code = ask_next(cli, c, ASK_WAIT_MS, &event, result);
		json_decref(event);
	}
	return code;
}

int ask(struct cli *cli, const char *cmd, json_t *args, json_t **result)
{
	struct api_client c;
	int code = ask_open(cli, &c);

	*result = NULL;
	if (code != CLI_OK) {
		json_decref(args);
		return code;
	}
	code = ask_on(cli, &c, cmd, args, result);
	api_client_close(&c);
	return code;
}

int ask_list(struct cli *cli, const char *cmd, const char *key, json_t **result)
{
	json_t *all = json_array(), *page = NULL;
	json_int_t total = 1;
	struct api_client c;
	int code = ask_open(cli, &c);

	*result = NULL;
	while (code == CLI_OK) {
		size_t had = json_array_size(all);
		const json_t *list;

		code = ask_on(cli, &c, cmd,
			      json_pack("{s:I}", "offset", (json_int_t)had),
			      &page);
		if (code != CLI_OK)
			break;
		list = json_object_get(page, key);
		for (size_t i = 0; i < json_array_size(list); i++)
			json_array_append(all, json_array_get(list, i));
		total = json_integer_value(json_object_get(page, "total"));
		json_decref(page);
		if (!json_is_array(all) || json_array_size(all) == had ||
		    json_array_size(all) >= LIST_MAX ||
		    (json_int_t)json_array_size(all) >= total)
			break;
	}
	api_client_close(&c);
	if (code == CLI_OK)
		*result = json_pack("{s:O, s:I}", key, all, "total", total);
	json_decref(all);
	return code;
}
