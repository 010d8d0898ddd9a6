/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "controlplane/cli/cli.h"
#include "controlplane/cli/show.h"

#define WIDTH 76

void cli_print_usage(FILE *f, const struct cli_command *cmd)
{
	fprintf(f, "vx6 %s", cmd->name);
	if (cmd->args[0] != '\0')
		fprintf(f, " %s", cmd->args);
	for (unsigned i = 0; i < CLI_OPTS_MAX && cmd->opts[i].name; i++) {
		const struct cli_opt *o = &cmd->opts[i];

		fprintf(f, o->required ? " --%s%s%s" : " [--%s%s%s]", o->name,
			o->value == NULL ? "" : " ",
			o->value == NULL ? "" : o->value);
	}
}

/* paragraph breaks text between words. */
static void paragraph(FILE *f, const char *text)
{
	size_t used = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (used > 0 && used + 1 + len > WIDTH) {
			fputc('\n', f);
			used = 0;
		} else if (used > 0) {
			fputc(' ', f);
			used++;
		}
		fwrite(text, 1, len, f);
		used += len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', f);
}

static void options(FILE *f, const struct cli_opt *opts)
{
	for (unsigned i = 0; i < CLI_OPTS_MAX && opts[i].name != NULL; i++) {
		char head[40];

		snprintf(head, sizeof(head), "--%s %s", opts[i].name,
			 opts[i].value == NULL ? "" : opts[i].value);
		fprintf(f, "  %-18s %s\n", head, opts[i].help);
	}
}

static void overview(struct cli *cli)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);
	const char *group = "";
	bool col = cli->out_colour;

	fputs("vx6: services on localhost, used from other nodes by name\n\n"
	      "usage: vx6 [--config FILE] [--state DIR] [--run DIR] [--json] "
	      "COMMAND ..\n",
	      cli->out);
	for (size_t i = 0; i < cnt; i++) {
		if (strcmp(c[i].group, group) != 0)
			fprintf(cli->out, "\n%s%s%s\n", show_on(col, SHOW_BOLD),
				c[i].group, show_off(col, SHOW_BOLD));
		group = c[i].group;
		fprintf(cli->out, "  %-18s %s\n", c[i].name, c[i].help);
	}
	fputs("\n`vx6 help COMMAND` says more.  First steps: vx6 init, vx6 "
	      "run\n"
	      "exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 denied\n",
	      cli->out);
}

/* options_json: what options() shows. */
static json_t *options_json(const struct cli_opt *opts)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < CLI_OPTS_MAX && opts[i].name != NULL; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s?, s:s, s:b}", "name", opts[i].name,
				  "value", opts[i].value, "help", opts[i].help,
				  "required", (int)opts[i].required));
	return list;
}

/* table_json is the whole table; the manual page is made from it. */
static void table_json(struct cli *cli)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);
	json_t *list = json_array(), *doc;

	for (size_t i = 0; i < cnt; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o}",
					"name", c[i].name, "group", c[i].group,
					"args", c[i].args, "help", c[i].help,
					"more", c[i].more, "options",
					options_json(c[i].opts)));
	doc = json_pack("{s:o, s:o}", "commands", list, "options",
			options_json(cli_globals));
	cli_json(cli, doc);
	json_decref(doc);
}

static void about(struct cli *cli, const struct cli_command *cmd)
{
	fputs("usage: ", cli->out);
	cli_print_usage(cli->out, cmd);
	fprintf(cli->out, "\n\n%s\n", cmd->help);
	if (cmd->more != NULL) {
		fputc('\n', cli->out);
		paragraph(cli->out, cmd->more);
	}
	if (cmd->opts[0].name != NULL) {
		fputc('\n', cli->out);
		options(cli->out, cmd->opts);
	}
	fputs("\nfor every command\n", cli->out);
	options(cli->out, cli_globals);
}

CLI_RUN(cli_help)
{
	size_t cnt, shown = 0;
	const struct cli_command *c = cli_commands(&cnt);
	char name[64];

	if (args->pos_cnt == 0) {
		if (cli->json)
			table_json(cli);
		else
			overview(cli);
		return CLI_OK;
	}
	snprintf(name, sizeof(name), "%s%s%s", args->pos[0],
		 args->pos_cnt > 1 ? " " : "",
		 args->pos_cnt > 1 ? args->pos[1] : "");
	for (size_t i = 0; i < cnt; i++) {
		size_t len = strlen(name);

		/* `help service` is about all of them */
		if (strncmp(c[i].name, name, len) != 0 ||
		    (c[i].name[len] != '\0' && c[i].name[len] != ' '))
			continue;
		if (shown++ > 0)
			fputs("\n----\n\n", cli->out);
		about(cli, &c[i]);
	}
	if (shown > 0)
		return CLI_OK;
	return cli_fail(cli, CLI_USAGE, "`vx6 help` shows all commands",
			"there is no command %s", name);
}

/* ---- completion ---- */

/* words writes the options of a list, each with its dashes. */
static void words(FILE *f, const struct cli_opt *opts)
{
	for (unsigned i = 0; i < CLI_OPTS_MAX && opts[i].name != NULL; i++)
		fprintf(f, " --%s", opts[i].name);
}

/* seconds writes what may follow a first word. */
static void seconds(FILE *f, const struct cli_command *c, size_t cnt, size_t at)
{
	size_t len = strcspn(c[at].name, " ");

	fprintf(f, "\t%.*s) words=\"", (int)len, c[at].name);
	for (size_t i = 0; i < cnt; i++)
		if (strncmp(c[i].name, c[at].name, len) == 0 &&
		    c[i].name[len] == ' ')
			fprintf(f, " %s", c[i].name + len + 1);
	fputs("\" ;;\n", f);
}

/* first_of says whether at is the first command with its first word. */
static bool first_of(const struct cli_command *c, size_t at)
{
	size_t len = strcspn(c[at].name, " ");

	for (size_t i = 0; i < at; i++)
		if (strncmp(c[i].name, c[at].name, len) == 0 &&
		    strcspn(c[i].name, " ") == len)
			return false;
	return true;
}

static void bash(FILE *f, const struct cli_command *c, size_t cnt)
{
	fputs("# bash completion of vx6: source <(vx6 completion bash)\n"
	      "_vx6() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev='' cmd='' words='' "
	      "i skip=0\n"
	      "\tlocal globals=\"",
	      f);
	words(f, cli_globals);
	fputs("\"\n"
	      "\tCOMPREPLY=()\n"
	      "\tprev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tcase $prev in\n"
	      "\t--config | --record) COMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\t\treturn ;;\n"
	      "\t--state | --run) COMPREPLY=($(compgen -d -- \"$cur\"))\n"
	      "\t\treturn ;;\n"
	      "\tesac\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t--config | --state | --run) ((i++)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) [ \"$skip\" = 2 ] || { cmd=${cmd:+$cmd "
	      "}${COMP_WORDS[i]}; "
	      "((skip++)); } ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase $cmd in\n"
	      "\t'') words=\"",
	      f);
	for (size_t i = 0; i < cnt; i++)
		if (first_of(c, i))
			fprintf(f, " %.*s", (int)strcspn(c[i].name, " "),
				c[i].name);
	fputs("\" ;;\n", f);
	for (size_t i = 0; i < cnt; i++)
		if (strchr(c[i].name, ' ') != NULL && first_of(c, i))
			seconds(f, c, cnt, i);
	for (size_t i = 0; i < cnt; i++) {
		fprintf(f, "\t'%s'%s) words=\"", c[i].name,
			strchr(c[i].name, ' ') == NULL ? "*" : "");
		words(f, c[i].opts);
		fprintf(f, "%s\" ;;\n",
			strcmp(c[i].name, "completion") == 0 ? " bash" : "");
	}
	fputs("\tesac\n"
	      "\tcase $cmd in 'peer add' | 'config check')\n"
	      "\t\tCOMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
	      "\tesac\n"
	      "\tCOMPREPLY+=($(compgen -W \"$words $globals\" -- \"$cur\"))\n"
	      "}\n"
	      "complete -F _vx6 vx6\n",
	      f);
}

CLI_RUN(cli_completion)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);

	if (strcmp(args->pos[0], "bash") != 0)
		return cli_usage(cli, args->cmd,
				 "there is no completion for %s", args->pos[0]);
	bash(cli->out, c, cnt);
	return CLI_OK;
}
