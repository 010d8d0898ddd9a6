/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/cli/cli.h"

static bool is_screen(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

int main(int argc, char *argv[])
{
	static struct cli cli;
	const char *no_colour = getenv("NO_COLOR");
	bool colour = no_colour == NULL || no_colour[0] == '\0';
	int code;

	cli.out = stdout;
	cli.err = stderr;
	cli.out_tty = is_screen(STDOUT_FILENO);
	cli.err_tty = is_screen(STDERR_FILENO);
	cli.out_colour = cli.out_tty && colour;
	cli.err_colour = cli.err_tty && colour;
	code = cli_main(&cli, argc, argv);
	/* a full disk or a closed pipe is a failure, too */
	if (fflush(stdout) != 0 && code == CLI_OK)
		code = CLI_FAILED;
	return code;
}
