/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <string.h>

#include "controlplane/cli/cli.h"

#define WORD_MAX 24u /* longer words are not guessed at */
#define NEAR     2u  /* edits between what was said and what was meant */

/* ---- what was meant ---- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* edits counts insertions, removals and replacements from a to b. */
static unsigned edits(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t alen = strlen(a), blen = strlen(b);

	if (alen > WORD_MAX || blen > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= blen; j++)
		row[j] = j;
	for (unsigned i = 1; i <= alen; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= blen; j++) {
			unsigned up = row[j];

			row[j] = min3(row[j] + 1, row[j - 1] + 1,
				      corner + (a[i - 1] != b[j - 1]));
			corner = up;
		}
	}
	return row[blen];
}

/* ---- options ---- */

static const struct cli_opt *find_opt(const struct cli_opt *opts,
				      const char *name, size_t len,
				      unsigned *idx)
{
	for (*idx = 0; *idx < CLI_OPTS_MAX && opts[*idx].name != NULL; ++*idx)
		if (strncmp(opts[*idx].name, name, len) == 0 &&
		    opts[*idx].name[len] == '\0')
			return &opts[*idx];
	return NULL;
}

static const char *near_opt(const struct cli_command *cmd, const char *name)
{
	const struct cli_opt *lists[] = { cli_globals,
					  cmd == NULL ? NULL : cmd->opts };
	const char *best = NULL;
	unsigned least = NEAR + 1;

	for (unsigned l = 0; l < VX6_COUNT(lists); l++)
		for (unsigned i = 0; lists[l] != NULL && i < CLI_OPTS_MAX &&
				     lists[l][i].name != NULL;
		     i++) {
			unsigned d = edits(name, lists[l][i].name);

			if (d < least) {
				least = d;
				best = lists[l][i].name;
			}
		}
	return best;
}

static int no_such_opt(struct cli *cli, const struct cli_command *cmd,
		       const char *arg)
{
	const char *meant = near_opt(cmd, arg + 2);

	if (meant != NULL)
		return cli_fail(cli, CLI_USAGE, "",
				"there is no option %s; did you mean --%s?",
				arg, meant);
	if (cmd == NULL)
		return cli_fail(cli, CLI_USAGE, "`vx6 help` shows all of them",
				"there is no option %s for all commands", arg);
	return cli_usage(cli, cmd, "there is no option %s", arg);
}

static void set_global(struct cli *cli, struct cli_args *args, const char *name,
		       const char *value)
{
	if (strcmp(name, "config") == 0)
		cli->config = value;
	else if (strcmp(name, "state") == 0)
		cli->state = value;
	else if (strcmp(name, "run") == 0)
		cli->run = value;
	else if (strcmp(name, "json") == 0)
		cli->json = true;
	else
		args->help = true;
}

/* take_opt reads argv[*i], an option, and its value. */
static int take_opt(struct cli *cli, int argc, char *const argv[], int *i,
		    struct cli_args *args)
{
	const char *name = argv[*i] + 2;
	const char *equal = strchr(name, '=');
	size_t len = equal == NULL ? strlen(name) : (size_t)(equal - name);
	const char *value = "";
	const struct cli_opt *opt = NULL;
	bool own = false;
	unsigned idx = 0;

	if (args->cmd != NULL) {
		opt = find_opt(args->cmd->opts, name, len, &idx);
		own = opt != NULL;
	}
	if (opt == NULL)
		opt = find_opt(cli_globals, name, len, &(unsigned){ 0 });
	if (opt == NULL)
		return no_such_opt(cli, args->cmd, argv[*i]);
	if (opt->value == NULL && equal != NULL)
		return cli_fail(cli, CLI_USAGE, "leave the = out",
				"--%s takes no value", opt->name);
	if (opt->value != NULL) {
		if (equal == NULL && *i + 1 >= argc)
			return cli_fail(
				cli, CLI_USAGE, "say it behind the option",
				"--%s needs its %s", opt->name, opt->value);
		value = equal != NULL ? equal + 1 : argv[++*i];
	}
	if (own)
		args->val[idx] = value;
	else
		set_global(cli, args, opt->name, value);
	return CLI_OK;
}

/* ---- commands ---- */

static bool begins(const char *name, const char *word)
{
	size_t len = strlen(word);

	return strncmp(name, word, len) == 0 && name[len] == ' ';
}

static int no_such_command(struct cli *cli, const char *word)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);
	const char *best = NULL;
	unsigned least = NEAR + 1;
	char first[WORD_MAX + 1];

	for (size_t i = 0; i < cnt; i++) {
		size_t len = strcspn(c[i].name, " ");
		unsigned d;

		memcpy(first, c[i].name, len);
		first[len] = '\0';
		d = edits(word, first);
		if (d < least) {
			least = d;
			best = c[i].name;
		}
	}
	if (best != NULL)
		return cli_fail(cli, CLI_USAGE, "`vx6 help` shows all commands",
				"there is no command %s; did you mean %.*s?",
				word, (int)strcspn(best, " "), best);
	return cli_fail(cli, CLI_USAGE, "`vx6 help` shows all commands",
			"there is no command %s", word);
}

/* which lists what may follow a first word. */
static int which(struct cli *cli, const char *word, const char *said)
{
	size_t cnt, len = 0;
	const struct cli_command *c = cli_commands(&cnt);
	char list[128] = "";

	for (size_t i = 0; i < cnt; i++)
		if (begins(c[i].name, word) && len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len,
						"%s`vx6 %s`",
						len > 0 ? ", " : "", c[i].name);
	if (said == NULL)
		return cli_fail(cli, CLI_USAGE, list, "%s needs a second word",
				word);
	return cli_fail(cli, CLI_USAGE, list, "there is no command %s %s", word,
			said);
}

/* take_command finds the command of one word or two; first is the word
 * that waits for its second. */
static int take_command(struct cli *cli, const char *word, const char **first,
			struct cli_args *args)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);

	for (size_t i = 0; i < cnt; i++) {
		const char *rest = c[i].name;

		if (*first != NULL) {
			if (!begins(rest, *first))
				continue;
			rest += strlen(*first) + 1;
		} else if (begins(rest, word)) {
			*first = word;
			return CLI_OK;
		}
		if (strcmp(rest, word) == 0) {
			args->cmd = &c[i];
			return CLI_OK;
		}
	}
	return *first != NULL ? which(cli, *first, word)
			      : no_such_command(cli, word);
}

static int complete(struct cli *cli, const struct cli_args *args)
{
	const struct cli_command *cmd = args->cmd;

	if (args->pos_cnt < cmd->args_min)
		return cli_usage(cli, cmd, "%s needs %s", cmd->name, cmd->args);
	for (unsigned i = 0; i < CLI_OPTS_MAX && cmd->opts[i].name != NULL; i++)
		if (cmd->opts[i].required && args->val[i] == NULL)
			return cli_usage(cli, cmd, "%s needs --%s %s",
					 cmd->name, cmd->opts[i].name,
					 cmd->opts[i].value);
	return CLI_OK;
}

int cli_parse(struct cli *cli, int argc, char *const argv[],
	      struct cli_args *args)
{
	const char *first = NULL;
	bool only_words = false;
	int code = CLI_OK;

	*args = (struct cli_args){ 0 };
	for (int i = 1; i < argc && code == CLI_OK; i++) {
		const char *arg = argv[i];

		if (!only_words && strcmp(arg, "--") == 0)
			only_words = true;
		else if (!only_words && strcmp(arg, "-h") == 0)
			args->help = true;
		else if (!only_words && strncmp(arg, "--", 2) == 0)
			code = take_opt(cli, argc, argv, &i, args);
		else if (!only_words && arg[0] == '-' && arg[1] != '\0')
			code = cli_fail(cli, CLI_USAGE,
					"options have two dashes",
					"there is no option %s", arg);
		else if (args->cmd == NULL)
			code = take_command(cli, arg, &first, args);
		else if (args->pos_cnt >= args->cmd->args_max)
			code = cli_usage(cli, args->cmd, "%s is too much", arg);
		else
			args->pos[args->pos_cnt++] = arg;
	}
	if (code != CLI_OK || args->help)
		return code;
	if (args->cmd == NULL)
		return first == NULL ? CLI_OK : which(cli, first, NULL);
	return complete(cli, args);
}

const char *cli_opt(const struct cli_args *args, const char *name)
{
	unsigned idx;
	const struct cli_opt *opt = find_opt(args->cmd->opts, name,
					     strlen(name), &idx);

	assert(opt != NULL);
	return opt == NULL ? NULL : args->val[idx];
}
