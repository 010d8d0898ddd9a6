/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changes a running node in one step, and its identity. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "controlplane/cli/ask.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/say.h"
#include "controlplane/cli/show.h"
#include "controlplane/record/identity.h"
#include "controlplane/record/record.h"
#include "dataplane/base/clock.h"

/* A record in a file is text, so that it survives mail and chat. */
#define ARMOUR_HEAD "-----BEGIN VX6 RECORD-----"
#define ARMOUR_TAIL "-----END VX6 RECORD-----"
#define ARMOUR_LINE 64
#define FILE_MAX    (4u * RECORD_MAX)
#define BASE64      sodium_base64_VARIANT_ORIGINAL

/* ---- records in files ---- */

static bool is_stdio(const char *path)
{
	return strcmp(path, "-") == 0;
}

static int read_whole(struct cli *cli, const char *path, char *out, size_t cap,
		      size_t *len)
{
	FILE *f = is_stdio(path) ? fdopen(dup(STDIN_FILENO), "rb")
				 : fopen(path, "rb");

	if (f == NULL)
		return cli_fail(cli, CLI_FAILED,
				"name the file that `vx6 identity show "
				"--record FILE` wrote",
				"%s cannot be read: %s", path, strerror(errno));
	*len = fread(out, 1, cap, f);
	fclose(f);
	if (*len == cap)
		return cli_fail(cli, CLI_FAILED,
				"name the file that `vx6 identity show "
				"--record FILE` wrote",
				"%s is larger than any record", path);
	return CLI_OK;
}

/* unarmour turns the text of a file into bare base64, in place; bytes of a
 * record itself become base64, too.  False: neither. */
static bool unarmour(char *text, size_t len, char *out, size_t cap)
{
	char *from = text, *to;
	uint8_t bytes[RECORD_MAX];
	size_t got = 0;

	text[len] = '\0';
	if (len > 0 && len <= RECORD_MAX && ((uint8_t)text[0] & 0x80) != 0) {
		sodium_bin2base64(out, cap, (const uint8_t *)text, len, BASE64);
		return true;
	}
	to = strstr(text, ARMOUR_HEAD);
	if (to != NULL)
		from = to + strlen(ARMOUR_HEAD);
	to = strstr(from, ARMOUR_TAIL);
	if (to != NULL)
		*to = '\0';
	if (sodium_base642bin(bytes, sizeof(bytes), from, strlen(from),
			      " \t\r\n", &got, NULL, BASE64) != 0 ||
	    got == 0)
		return false;
	sodium_bin2base64(out, cap, bytes, got, BASE64);
	return true;
}

CLI_RUN(cli_peer_add)
{
	static char text[FILE_MAX + 1],
		base64[sodium_base64_ENCODED_LEN(RECORD_MAX, BASE64)];
	const char *path = args->pos[0];
	char span[SHOW_TEXT_LEN];
	json_t *doc = NULL;
	size_t len = 0;
	int64_t left;
	int code = read_whole(cli, path, text, FILE_MAX, &len);

	if (code != CLI_OK)
		return code;
	if (!unarmour(text, len, base64, sizeof(base64)))
		return cli_fail(cli, CLI_FAILED,
				"name the file that `vx6 identity show "
				"--record FILE` wrote",
				"%s holds no record", path);
	code = ask(cli, "peer.add", json_pack("{s:s}", "record", base64), &doc);
	if (code != CLI_OK)
		return code;
	left = json_integer_value(json_object_get(doc, "expires_unix_s")) -
	       (int64_t)vx6_unix_s();
	if (cli->json)
		cli_json(cli, doc);
	else
		fprintf(cli->out, "%s %s (%s), valid for %s\n",
			strcmp(say_text(doc, "state"), "known") == 0
				? "known already:"
			: strcmp(say_text(doc, "state"), "updated") == 0
				? "updated"
				: "added",
			say_name(doc, "name", "(no name)"), say_text(doc, "id"),
			show_span(span, left < 0 ? 0 : (uint64_t)left));
	json_decref(doc);
	return CLI_OK;
}

static int write_record(struct cli *cli, const char *path, const char *base64)
{
	FILE *f = is_stdio(path) ? fdopen(dup(STDOUT_FILENO), "w")
				 : fopen(path, "w");
	bool bad;

	if (f == NULL)
		return cli_fail(
			cli, CLI_FAILED, "choose a file that may be written",
			"%s cannot be written: %s", path, strerror(errno));
	fprintf(f, "%s\n", ARMOUR_HEAD);
	for (size_t at = 0, len = strlen(base64); at < len; at += ARMOUR_LINE)
		fprintf(f, "%.*s\n", ARMOUR_LINE, base64 + at);
	fprintf(f, "%s\n", ARMOUR_TAIL);
	bad = ferror(f) != 0;
	bad = fclose(f) != 0 || bad;
	if (bad)
		return cli_fail(cli, CLI_FAILED, "is the disk full?",
				"%s cannot be written: %s", path,
				strerror(errno));
	return CLI_OK;
}

/* ---- identity ---- */

/* from_state tells who this node is without a running vx6d. */
static int from_state(struct cli *cli)
{
	struct identity id;
	struct state_why why = { 0 };
	enum vx6_status st = identity_load(cli->cfg.state, &id, &why);
	char text[VX6_ID_TEXT];
	json_t *doc;

	if (st == VX6_NOT_FOUND)
		return cli_fail(cli, CLI_FAILED, "make one with `vx6 init`",
				"there is no identity in %s", cli->cfg.state);
	if (st != VX6_OK)
		return cli_fail(cli, CLI_FAILED, "", "%s", why.text);
	vx6_id_text(id.id, text);
	identity_wipe(&id);
	doc = json_pack("{s:s, s:s}", "name", cli->cfg.node.name, "id", text);
	if (cli->json)
		cli_json(cli, doc);
	else
		fprintf(cli->out, "%s %s\n", say_name(doc, "name", "(no name)"),
			text);
	json_decref(doc);
	return CLI_OK;
}

static bool is_running(const struct cli *cli)
{
	char path[CLI_PATH_TEXT];
	struct api_client c;
	enum vx6_status st;

	snprintf(path, sizeof(path), "%s/vx6d.sock", cli->cfg.run);
	st = api_client_open(&c, path);
	api_client_close(&c);
	return st != VX6_UNREACHABLE;
}

CLI_RUN(cli_identity_show)
{
	const char *file = cli_opt(args, "record");
	json_t *doc = NULL;
	int code = cli_config(cli);

	if (code != CLI_OK)
		return code;
	if (sodium_init() < 0)
		return cli_fail(cli, CLI_FAILED, "", "libsodium cannot start");
	if (file == NULL && !is_running(cli))
		return from_state(cli);
	code = ask(cli, "identity.show",
		   json_pack("{s:b}", "record", file != NULL), &doc);
	if (code != CLI_OK)
		return code;
	if (file != NULL)
		code = write_record(cli, file, say_text(doc, "record"));
	if (code == CLI_OK && (file == NULL || !is_stdio(file))) {
		if (cli->json)
			cli_json(cli, doc);
		else
			fprintf(cli->out, "%s %s\n",
				say_name(doc, "name", "(no name)"),
				say_text(doc, "id"));
	}
	if (code == CLI_OK && file != NULL)
		cli_note(cli,
			 "give %s to another node and say there: vx6 peer add "
			 "FILE",
			 is_stdio(file) ? "this" : file);
	json_decref(doc);
	return code;
}

/* ---- services ---- */

/* allowed makes the array of node IDs of "ID,ID". */
static int allowed(struct cli *cli, const char *list, json_t **out)
{
	json_t *ids = say_split(list);
	size_t i;
	json_t *id;

	*out = NULL;
	json_array_foreach(ids, i, id)
	{
		uint8_t bytes[VX6_ID_LEN];
		const char *text = json_string_value(id);

		if (vx6_id_parse(bytes, text) == VX6_OK)
			continue;
		cli_fail(cli, CLI_USAGE,
			 "`vx6 identity show` says it on that node",
			 "%s is no node ID: vx6 and 52 characters", text);
		json_decref(ids);
		return CLI_USAGE;
	}
	*out = ids;
	return CLI_OK;
}

CLI_RUN(cli_service_add)
{
	const char *allow = cli_opt(args, "allow");
	bool public = cli_opt(args, "public") != NULL;
	char target[VX6_ADDR_TEXT];
	json_t *ask_args, *ids = NULL, *doc = NULL;
	int code;

	if (public == (allow != NULL))
		return cli_usage(cli, args->cmd,
				 "say who may use %s: either --public or "
				 "--allow ID,ID",
				 args->pos[0]);
	code = say_addr(cli, "target", cli_opt(args, "target"), target);
	if (code == CLI_OK && allow != NULL)
		code = allowed(cli, allow, &ids);
	if (code != CLI_OK)
		return code;
	ask_args = json_pack("{s:s, s:s, s:s, s:b}", "name", args->pos[0],
			     "target", target, "proto", "tcp", "target_any",
			     cli_opt(args, "target-any") != NULL);
	if (ids != NULL)
		json_object_set_new(ask_args, "allow", ids);
	else
		json_object_set_new(ask_args, "public", json_true());
	code = ask(cli, "service.add", ask_args, &doc);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		cli_json(cli, doc);
	else
		fprintf(cli->out, "%s is offered to %s, target %s\n",
			args->pos[0], public ? "everybody" : "the nodes named",
			target);
	json_decref(doc);
	return CLI_OK;
}

CLI_RUN(cli_service_remove)
{
	json_t *doc = NULL;
	int code = ask(cli, "service.remove",
		       json_pack("{s:s}", "name", args->pos[0]), &doc);

	if (code != CLI_OK)
		return code;
	if (cli->json)
		cli_json(cli, doc);
	else
		fprintf(cli->out, "%s is offered no longer\n", args->pos[0]);
	json_decref(doc);
	return CLI_OK;
}

/* ---- ending things ---- */

CLI_RUN(cli_disconnect)
{
	char listen[VX6_ADDR_TEXT];
	json_t *doc = NULL;
	int64_t n;
	int code = say_addr(cli, NULL, args->pos[0], listen);

	if (code == CLI_OK)
		code = ask(cli, "disconnect",
			   json_pack("{s:s}", "listen", listen), &doc);
	if (code != CLI_OK)
		return code;
	n = json_integer_value(json_object_get(doc, "streams"));
	if (cli->json)
		cli_json(cli, doc);
	else if (n == 0)
		fprintf(cli->out, "%s is closed\n", listen);
	else
		fprintf(cli->out, "%s is closed, %" PRId64 " stream%s ended\n",
			listen, n, n == 1 ? "" : "s");
	json_decref(doc);
	return CLI_OK;
}

CLI_RUN(cli_shutdown)
{
	json_t *doc = NULL;
	int code = ask(cli, "shutdown", NULL, &doc);

	(void)args;
	if (code != CLI_OK)
		return code;
	if (cli->json)
		cli_json(cli, doc);
	else
		fputs("vx6d ends\n", cli->out);
	json_decref(doc);
	return CLI_OK;
}
