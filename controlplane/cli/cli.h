/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_CLI_H
#define VX6_CONTROLPLANE_CLI_CLI_H

/* cli: the program vx6.
 *
 *     argv --cli_parse--> struct cli_args --command's run()--> exit code
 *                              ^
 *     commands.c: one table -- + -- help, usage, shell completion
 *
 * Output for people are tables and sentences, colour only on a terminal
 * and without NO_COLOR; with --json it is the socket's own JSON, one
 * document on stdout (connect: one event a line).  What went wrong is said
 * on stderr: one sentence on what happened, one on what to do next, and in
 * the exit code.
 *
 * Ownership: struct cli is main's, everything else lives as long as it.
 * Threads: one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "config/config.h"
#include "dataplane/base/compiler.h"

/* Exit codes; those of failures are enum api_code. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3,
	CLI_DENIED = 4
};

#define CLI_POS_MAX   4u
#define CLI_OPTS_MAX  10u
#define CLI_PATH_TEXT 512u

struct cli {
	FILE *out, *err;
	bool json;
	bool out_tty, err_tty; /* a person looks at it */
	bool out_colour, err_colour;
	const char *config, *state, *run; /* as given; NULL: not */
	char config_path[CLI_PATH_TEXT];  /* after cli_config */
	bool config_there;                /* a file was read */
	bool config_new;   /* set before: --config may name none yet */
	struct config cfg; /* after cli_config; state and run are filled */
};

struct cli_opt {
	const char *name;  /* without "--" */
	const char *value; /* what stands behind it, "ADDR"; NULL: nothing */
	const char *help;
	bool required;
};

struct cli_args;

struct cli_command {
	const char *name;  /* one or two words */
	const char *group; /* heading in the help */
	const char *args;  /* "NAME", "[FILE]"; "" for none */
	unsigned args_min, args_max;
	const char *help; /* one line */
	const char *more; /* paragraphs for `help COMMAND`; may be NULL */
	struct cli_opt opts[CLI_OPTS_MAX]; /* ends with name NULL */
	int (*run)(struct cli *cli, const struct cli_args *args);
};

struct cli_args {
	const struct cli_command *cmd;
	unsigned pos_cnt;
	const char *pos[CLI_POS_MAX];
	const char *val[CLI_OPTS_MAX]; /* of cmd->opts; "" for a flag said */
	bool help;                     /* --help was said */
};

/* cli_commands is the table; cnt gets its length. */
VX6_NONNULL const struct cli_command *cli_commands(size_t *cnt);
extern const struct cli_opt cli_globals[]; /* ends with name NULL */

/* cli_parse takes argv[1..argc) apart.  CLI_OK, or CLI_USAGE after saying
 * why.  args->cmd is NULL when no command was named. */
VX6_MUST_CHECK VX6_NONNULL int
cli_parse(struct cli *cli, int argc, char *const argv[], struct cli_args *args);

/* cli_opt returns an option's value, "" for a flag that was said, NULL
 * where it was not.  The name has to be in the command's table. */
VX6_NONNULL const char *cli_opt(const struct cli_args *args, const char *name);

/* cli_main is the program. */
VX6_NONNULL int cli_main(struct cli *cli, int argc, char *const argv[]);

/* cli_fail says what happened (fmt) and what to do next (hint, "" for
 * nothing) and returns code.  Both begin small and end without a stop. */
VX6_NONNULL VX6_PRINTF(4, 5) int cli_fail(struct cli *cli, int code,
					  const char *hint, const char *fmt,
					  ...);

/* cli_note says something on stderr to a person: never with --json. */
VX6_NONNULL VX6_PRINTF(2, 3) void cli_note(struct cli *cli, const char *fmt,
					   ...);

/* cli_usage is cli_fail for a command that was said wrongly: the hint is
 * its usage. */
VX6_NONNULL VX6_PRINTF(3, 4) int cli_usage(struct cli *cli,
					   const struct cli_command *cmd,
					   const char *fmt, ...);

/* cli_json writes a document to stdout: indented for a person. */
VX6_NONNULL int cli_json(struct cli *cli, const json_t *doc);

/* cli_config finds and reads the configuration and fills cli->cfg with the
 * directories to use: --state, --run, the document's, or the defaults.
 * CLI_OK, or an exit code after saying why. */
VX6_MUST_CHECK VX6_NONNULL int cli_config(struct cli *cli);

/* cli_print_usage writes one line, `vx6 service add NAME --target ..`. */
VX6_NONNULL void cli_print_usage(FILE *f, const struct cli_command *cmd);

/* The commands. */
#define CLI_RUN(name) int name(struct cli *cli, const struct cli_args *args)
CLI_RUN(cli_init);
CLI_RUN(cli_run);
CLI_RUN(cli_status);
CLI_RUN(cli_stats);
CLI_RUN(cli_peer_list);
CLI_RUN(cli_peer_add);
CLI_RUN(cli_link_list);
CLI_RUN(cli_circuit_list);
CLI_RUN(cli_tunnel_list);
CLI_RUN(cli_identity_show);
CLI_RUN(cli_service_add);
CLI_RUN(cli_service_remove);
CLI_RUN(cli_service_list);
CLI_RUN(cli_connect);
CLI_RUN(cli_disconnect);
CLI_RUN(cli_forward_list);
CLI_RUN(cli_shutdown);
CLI_RUN(cli_doctor);
CLI_RUN(cli_config_check);
CLI_RUN(cli_config_schema);
CLI_RUN(cli_config_reference);
CLI_RUN(cli_config_example);
CLI_RUN(cli_version);
CLI_RUN(cli_help);
CLI_RUN(cli_completion);

#endif
