/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/api/api.h"
#include "controlplane/api/version.h"
#include "controlplane/cli/show.h"

#define MESSAGE 1024

static void say_json(struct cli *cli, int code, const char *hint,
		     const char *message)
{
	json_t *doc = json_pack("{s:{s:s, s:s, s:s}}", "error", "code",
				api_code_name((enum api_code)code), "message",
				message, "hint", hint);

	if (doc != NULL)
		json_dumpf(doc, cli->err,
			   JSON_COMPACT | JSON_REAL_PRECISION(9));
	fputc('\n', cli->err);
	json_decref(doc);
}

static void say_error(struct cli *cli, int code, const char *hint,
		      const char *message)
{
	if (cli->json) {
		say_json(cli, code, hint, message);
		return;
	}
	fprintf(cli->err, "%svx6:%s %s\n", show_on(cli->err_colour, SHOW_BAD),
		show_off(cli->err_colour, SHOW_BAD), message);
	if (hint[0] != '\0')
		fprintf(cli->err, "     %s\n", hint);
}

int cli_fail(struct cli *cli, int code, const char *hint, const char *fmt, ...)
{
	char message[MESSAGE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	/* what is on its way out comes first */
	fflush(cli->out);
	say_error(cli, code, hint, message);
	return code;
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->json)
		return;
	fflush(cli->out);
	va_start(ap, fmt);
	vfprintf(cli->err, fmt, ap);
	va_end(ap);
	fputc('\n', cli->err);
}

int cli_usage(struct cli *cli, const struct cli_command *cmd, const char *fmt,
	      ...)
{
	char message[MESSAGE], *usage = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&usage, &len);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (f != NULL) {
		fputs("usage: ", f);
		cli_print_usage(f, cmd);
		fclose(f);
	}
	fflush(cli->out);
	say_error(cli, CLI_USAGE, usage == NULL ? "" : usage, message);
	free(usage);
	return CLI_USAGE;
}

int cli_json(struct cli *cli, const json_t *doc)
{
	json_dumpf(doc, cli->out,
		   (cli->out_tty ? JSON_INDENT(2) : JSON_COMPACT) |
			   JSON_REAL_PRECISION(9));
	fputc('\n', cli->out);
	return CLI_OK;
}

CLI_RUN(cli_version)
{
	json_t *doc;

	(void)args;
	if (!cli->json) {
		fprintf(cli->out, "vx6 %s\n", VX6_VERSION);
		return CLI_OK;
	}
	doc = json_pack("{s:s}", "version", VX6_VERSION);
	cli_json(cli, doc);
	json_decref(doc);
	return CLI_OK;
}

/* ---- configuration ---- */

static void default_config_path(char *out, size_t len)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(out, len, "/etc/vx6/config.json");
	else if (xdg != NULL && xdg[0] == '/')
		snprintf(out, len, "%s/vx6/config.json", xdg);
	else if (home != NULL && home[0] == '/')
		snprintf(out, len, "%s/.config/vx6/config.json", home);
	else
		out[0] = '\0';
}

static int too_long(struct cli *cli, const char *what)
{
	return cli_fail(cli, CLI_USAGE, "choose a shorter path",
			"the path of --%s is too long", what);
}

static int load(struct cli *cli)
{
	struct config_error err = { 0 };

	config_defaults(&cli->cfg);
	if (cli->config_path[0] == '\0')
		return CLI_OK;
	if ((cli->config == NULL || cli->config_new) &&
	    access(cli->config_path, F_OK) != 0)
		return CLI_OK;
	cli->config_there = true;
	if (config_load(cli->config_path, &cli->cfg, &err) == VX6_OK)
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED,
			"correct it; `vx6 config reference` describes every "
			"field",
			"%s", err.text);
}

int cli_config(struct cli *cli)
{
	struct config_error err = { 0 };
	int code;

	if (cli->config != NULL &&
	    strlen(cli->config) >= sizeof(cli->config_path))
		return too_long(cli, "config");
	if (cli->state != NULL && strlen(cli->state) >= sizeof(cli->cfg.state))
		return too_long(cli, "state");
	if (cli->run != NULL && strlen(cli->run) >= CONFIG_RUN_MAX)
		return too_long(cli, "run");
	if (cli->config != NULL)
		snprintf(cli->config_path, sizeof(cli->config_path), "%s",
			 cli->config);
	else
		default_config_path(cli->config_path, sizeof(cli->config_path));
	code = load(cli);
	if (code != CLI_OK)
		return code;
	if (cli->state != NULL)
		snprintf(cli->cfg.state, sizeof(cli->cfg.state), "%s",
			 cli->state);
	if (cli->run != NULL)
		snprintf(cli->cfg.run, sizeof(cli->cfg.run), "%s", cli->run);
	if (config_dirs(&cli->cfg, &err) == VX6_OK)
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED, "say --state DIR and --run DIR", "%s",
			err.text);
}

int cli_main(struct cli *cli, int argc, char *const argv[])
{
	struct cli_args args;
	int code;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return cli_version(cli, &(struct cli_args){ 0 });
	code = cli_parse(cli, argc, argv, &args);
	if (code != CLI_OK)
		return code;
	if (args.cmd == NULL || args.help) {
		const struct cli_command *cmd = args.cmd;

		args = (struct cli_args){ 0 };
		if (cmd != NULL) {
			args.pos[0] = cmd->name;
			args.pos_cnt = 1;
		}
		return cli_help(cli, &args);
	}
	return args.cmd->run(cli, &args);
}
