/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would confine the daemons.  Each is asked itself, so that what is
 * said here cannot be another thing than what it does. */
#include "controlplane/cli/doctor.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/cli/program.h"
#include "dataplane/sandbox/sandbox.h"

#define ASK_MS    5000u
#define TABLE_LEN 65536u
#define CALLS_MAX 256u
#define HEADING   "# "
#define KEEPER    "# system calls of vx6-dataplane's keeper"

enum part { PART_NONE, PART_CALLS, PART_FILES, PART_CAPS };

static enum part part_of(const char *heading)
{
	if (strncmp(heading, "# system calls", 14) == 0)
		return PART_CALLS;
	if (strcmp(heading, "# files") == 0)
		return PART_FILES;
	return strcmp(heading, "# capabilities") == 0 ? PART_CAPS : PART_NONE;
}

/* Adds one to a list in words, while there is room. */
static void append(char *list, size_t cap, const char *what)
{
	size_t len = strlen(list);

	snprintf(list + len, cap - len, "%s%s", len > 0 ? ", " : "", what);
}

struct names { /* of calls: each counts once */
	char name[CALLS_MAX][DOCTOR_NAME];
	unsigned cnt;
};

static void note_call(struct names *n, const char *name)
{
	for (unsigned i = 0; i < n->cnt; i++)
		if (strcmp(n->name[i], name) == 0)
			return;
	if (n->cnt < CALLS_MAX)
		snprintf(n->name[n->cnt++], DOCTOR_NAME, "%.31s", name);
}

static void note(struct doctor_box *b, enum part part, char *line,
		 struct names *calls)
{
	char *reason = strstr(line, "  # ");
	size_t len;

	if (reason != NULL)
		*reason = '\0';
	len = strlen(line);
	while (len > 0 && line[len - 1] == ' ')
		line[--len] = '\0';
	if (part == PART_CALLS) {
		line[strcspn(line, " ")] = '\0';
		note_call(calls, line);
	} else if (strcmp(line, "none") != 0 && part == PART_FILES) {
		append(b->files, sizeof(b->files), line);
	} else if (strcmp(line, "none") != 0 && part == PART_CAPS) {
		append(b->caps, sizeof(b->caps), line);
	}
}

void doctor_read_box(char *table, struct doctor_box *b)
{
	enum part part = PART_NONE;
	struct names calls = { .cnt = 0 };
	char *rest = NULL;

	for (char *line = strtok_r(table, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, HEADING, strlen(HEADING)) == 0)
			part = part_of(line);
		else
			note(b, part, line, &calls);
	}
	b->calls = calls.cnt;
}

/* Where the table of another process of the same program begins. */
static char *split(char *table)
{
	char *at = strstr(table, "\n" KEEPER);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + 1;
}

static void ask(const struct config *cfg, const char *file,
		struct doctor_box *b, struct doctor_box *keeper)
{
	const char *argv[9] = { b->program, "--print-sandbox", "--state",
				cfg->state, "--run",           cfg->run };
	char path[CLI_PATH_TEXT], dir[PROGRAM_DIR];
	static char table[TABLE_LEN];
	char *second;

	if (file != NULL) {
		argv[6] = "--config";
		argv[7] = file;
	}
	if (!program_find(b->program, path, dir)) {
		b->told = DOCTOR_NO;
		return;
	}
	if (!program_ask(path, argv, ASK_MS, table, sizeof(table)))
		return;
	second = split(table);
	if (second != NULL) {
		doctor_read_box(second, keeper);
		keeper->program = "keeper";
		keeper->told = DOCTOR_YES;
	}
	doctor_read_box(table, b);
	b->told = b->calls > 0 ? DOCTOR_YES : DOCTOR_UNKNOWN;
}

void doctor_look_boxes(const struct config *cfg, const char *file,
		       struct doctor_facts *f)
{
	f->landlock = sandbox_landlock();
	f->filters = sandbox_filters() ? DOCTOR_YES : DOCTOR_NO;
	f->box[0].program = "vx6d";
	f->box[1].program = cfg->data.enabled ? "vx6-dataplane" : NULL;
	for (unsigned i = 0; i < 2; i++)
		if (f->box[i].program != NULL)
			ask(cfg, file, &f->box[i], &f->box[2]);
}
