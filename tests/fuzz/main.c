/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzz target over a corpus without libFuzzer, so that every input
 * which once mattered is a test on every machine.
 *
 *     fuzz_cell DIR|FILE...
 *
 * Prints each input's name before it is run (the last line before a crash
 * names the culprit), then one TAP result.  A directory without a file is a
 * failure: a corpus that got lost would otherwise pass for ever. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

static int run_file(const char *path, uint8_t *buf)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	if (f == NULL) {
		printf("# %s: %s\n", path, strerror(errno));
		return -1;
	}
	len = fread(buf, 1, INPUT_MAX, f);
	if (ferror(f) != 0) {
		printf("# %s: cannot be read\n", path);
		fclose(f);
		return -1;
	}
	fclose(f);
	printf("# %s\n", path);
	fflush(stdout);
	/* An exact copy, so that a sanitizer sees one byte too far. */
	uint8_t *exact = malloc(len > 0 ? len : 1);
	if (exact == NULL)
		return -1;
	if (len > 0)
		memcpy(exact, buf, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 0;
}

/* Returns the number of inputs run, or -1. */
static int run_dir(const char *dir, uint8_t *buf)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort);
	int cnt = 0;

	if (n < 0) {
		printf("# %s: %s\n", dir, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		if (list[i]->d_name[0] != '.' && cnt >= 0) {
			snprintf(path, sizeof(path), "%s/%s", dir,
				 list[i]->d_name);
			cnt = run_file(path, buf) == 0 ? cnt + 1 : -1;
		}
		free(list[i]);
	}
	free((void *)list);
	return cnt;
}

static int run_arg(const char *path, uint8_t *buf)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return run_dir(path, buf);
	return run_file(path, buf) == 0 ? 1 : -1;
}

int main(int argc, char **argv)
{
	uint8_t *buf = malloc(INPUT_MAX);
	int total = 0;

	if (buf == NULL)
		return 1;
	printf("1..1\n");
	for (int i = 1; i < argc && total >= 0; i++) {
		int n = run_arg(argv[i], buf);

		total = n > 0 ? total + n : -1;
	}
	free(buf);
	if (total <= 0) {
		printf("not ok 1 - corpus: empty, or an input unreadable\n");
		return 1;
	}
	printf("ok 1 - corpus of %d\n", total);
	return 0;
}
