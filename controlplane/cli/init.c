/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first command of a node's life, and those about its configuration. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "controlplane/cli/become.h"
#include "controlplane/cli/cli.h"
#include "controlplane/record/identity.h"
#include "dataplane/base/text.h"

/* ---- configuration ---- */

CLI_RUN(cli_config_check)
{
	int code;

	if (args->pos_cnt > 0)
		cli->config = args->pos[0];
	if (cli->config != NULL && access(cli->config, R_OK) != 0)
		return cli_fail(cli, CLI_FAILED,
				"name a file, or make one with `vx6 init`",
				"%s cannot be read: %s", cli->config,
				strerror(errno));
	code = cli_config(cli);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		fputs("{\"ok\":true}\n", cli->out);
	else if (cli->config_there)
		fprintf(cli->out, "%s is right\n", cli->config_path);
	else
		fprintf(cli->out,
			"there is no %s: every field has its default\n",
			cli->config_path);
	return CLI_OK;
}

CLI_RUN(cli_config_schema)
{
	(void)args;
	config_schema(cli->out);
	return CLI_OK;
}

CLI_RUN(cli_config_reference)
{
	(void)args;
	config_reference(cli->out);
	return CLI_OK;
}

CLI_RUN(cli_config_example)
{
	(void)args;
	config_example(cli->out);
	return CLI_OK;
}

/* ---- init ---- */

/* make_parents makes the directories above a file. */
static void make_parents(const char *path)
{
	char dir[CLI_PATH_TEXT];

	snprintf(dir, sizeof(dir), "%s", path);
	for (char *p = dir + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		/* what fails here fails again, in words, when it is used */
		(void)mkdir(dir, 0755);
		*p = '/';
	}
}

/* document is what a new node begins with; the rest has its defaults. */
static json_t *document(const struct cli *cli, const char *name)
{
	json_t *doc = json_object(), *node = json_object();

	if (name != NULL)
		json_object_set_new(node, "name", json_string(name));
	json_object_set_new(doc, "node", node);
	if (cli->state != NULL)
		json_object_set_new(doc, "state", json_string(cli->state));
	if (cli->run != NULL)
		json_object_set_new(doc, "run", json_string(cli->run));
	return doc;
}

/* write_config writes the file where there is none; *made says whether. */
static int write_config(struct cli *cli, const char *name, bool *made)
{
	json_t *doc;
	FILE *f;
	int bad;

	*made = false;
	if (cli->config_there || cli->config_path[0] == '\0')
		return CLI_OK;
	make_parents(cli->config_path);
	f = fopen(cli->config_path, "wx");
	if (f == NULL)
		return cli_fail(cli, CLI_FAILED,
				"say --config FILE with a place that may be "
				"written",
				"%s cannot be made: %s", cli->config_path,
				strerror(errno));
	doc = document(cli, name);
	bad = json_dumpf(doc, f, JSON_INDENT(2)) != 0 || fputc('\n', f) == EOF;
	json_decref(doc);
	if (fclose(f) != 0 || bad)
		return cli_fail(cli, CLI_FAILED, "is the disk full?",
				"%s cannot be written: %s", cli->config_path,
				strerror(errno));
	*made = true;
	return CLI_OK;
}

static void say_next(struct cli *cli, const char *id, bool id_made,
		     bool config_made, const char *name)
{
	const char *own = cli->cfg.node.name;

	if (cli->json) {
		json_t *doc = json_pack(
			"{s:s, s:s, s:b, s:s, s:b}", "id", id, "state",
			cli->cfg.state, "identity_made", id_made, "config",
			cli->config_path, "config_made", config_made);

		cli_json(cli, doc);
		json_decref(doc);
		return;
	}
	fprintf(cli->out, "node ID    %s%s\n", id,
		id_made ? "" : " (was there already)");
	fprintf(cli->out, "state      %s\n", cli->cfg.state);
	fprintf(cli->out, "config     %s%s\n", cli->config_path,
		config_made ? "" : " (was there already)");
	if (!config_made && name != NULL && strcmp(name, own) != 0)
		cli_note(cli,
			 "note: the configuration is left as it was; its "
			 "node.name is \"%s\"",
			 own);
	if (!cli->out_tty)
		return;
	fputs("\nnext\n"
	      "  vx6 run                                        the node, "
	      "until ^C\n"
	      "  vx6 service add web --target 8080 --public     offer what "
	      "listens on 127.0.0.1:8080\n"
	      "  vx6 identity show --record me.record           give this to "
	      "another node,\n"
	      "  vx6 peer add me.record                         who says "
	      "this there\n",
	      cli->out);
}

CLI_RUN(cli_init)
{
	const char *name = cli_opt(args, "name"), *user = cli_opt(args, "user");
	bool id_made = false, config_made = false;
	struct state_why why = { 0 };
	char text[VX6_ID_TEXT];
	struct identity id;
	int code;

	if (name != NULL && !name_ok(name, strlen(name)))
		return cli_usage(cli, args->cmd, "%s is no name: it has %s",
				 name, NAME_RULE);
	if (sodium_init() < 0)
		return cli_fail(cli, CLI_FAILED, "", "libsodium cannot start");
	cli->config_new = true;
	code = cli_config(cli);
	if (code == CLI_OK)
		code = become_dirs(cli, user);
	if (code == CLI_OK)
		code = write_config(cli, name, &config_made);
	if (code == CLI_OK)
		code = become_user(cli, user);
	if (code != CLI_OK)
		return code;
	if (state_dir(cli->cfg.state, 0700, &why) != VX6_OK ||
	    identity_open(cli->cfg.state, &id, &id_made, &why) != VX6_OK)
		return cli_fail(cli, CLI_FAILED, "", "%s", why.text);
	vx6_id_text(id.id, text);
	identity_wipe(&id);
	say_next(cli, text, id_made, config_made, name);
	return CLI_OK;
}
