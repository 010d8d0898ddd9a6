/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/doctor.h"

#include <string.h>

#include "controlplane/cli/cli.h"
#include "controlplane/cli/say.h"
#include "controlplane/cli/show.h"

static const struct {
	const char *name;
	enum show_style style;
} level[] = {
	[DOCTOR_OK] = { "ok",   SHOW_GOOD },
	[DOCTOR_WARN] = { "warn", SHOW_WAIT },
	[DOCTOR_FAIL] = { "fail", SHOW_BAD  },
};

/* clean takes control characters out: a process that has our port chose its
 * own name. */
static void clean(struct doctor_report *r)
{
	for (unsigned i = 0; i < r->cnt; i++) {
		say_clean(r->f[i].check);
		say_clean(r->f[i].found);
		say_clean(r->f[i].remedy);
	}
}

static void print_json(struct cli *cli, const struct doctor_report *r)
{
	json_t *list = json_array(), *doc;

	for (unsigned i = 0; i < r->cnt; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s}", "check",
						r->f[i].check, "level",
						level[r->f[i].level].name,
						"found", r->f[i].found,
						"remedy", r->f[i].remedy));
	doc = json_pack("{s:b, s:o, s:i, s:i, s:i}", "ok",
			(int)(r->of[DOCTOR_FAIL] == 0), "findings", list, "oks",
			(int)r->of[DOCTOR_OK], "warnings",
			(int)r->of[DOCTOR_WARN], "failures",
			(int)r->of[DOCTOR_FAIL]);
	cli_json(cli, doc);
	json_decref(doc);
}

static void print(struct cli *cli, const struct doctor_report *r)
{
	size_t width = 0;
	bool col = cli->out_colour;

	for (unsigned i = 0; i < r->cnt; i++)
		if (strlen(r->f[i].check) > width)
			width = strlen(r->f[i].check);
	for (unsigned i = 0; i < r->cnt; i++) {
		const struct doctor_finding *f = &r->f[i];
		enum show_style style = level[f->level].style;

		fprintf(cli->out, "%s%-4s%s  %-*s  %s\n", show_on(col, style),
			level[f->level].name, show_off(col, style), (int)width,
			f->check, f->found);
		if (f->level != DOCTOR_OK)
			fprintf(cli->out, "%*s-> %s\n", (int)width + 8, "",
				f->remedy);
	}
	fprintf(cli->out, "\n%u ok, %u warning%s, %u failure%s\n",
		r->of[DOCTOR_OK], r->of[DOCTOR_WARN],
		r->of[DOCTOR_WARN] == 1 ? "" : "s", r->of[DOCTOR_FAIL],
		r->of[DOCTOR_FAIL] == 1 ? "" : "s");
}

CLI_RUN(cli_doctor)
{
	static struct doctor_facts facts;
	static struct doctor_report report;
	int code = cli_config(cli);

	(void)args;
	if (code != CLI_OK)
		return code;
	doctor_look(&cli->cfg, cli->config_there ? cli->config_path : NULL,
		    &facts);
	doctor_judge(&facts, &cli->cfg, &report);
	clean(&report);
	if (cli->json)
		print_json(cli, &report);
	else
		print(cli, &report);
	return report.of[DOCTOR_FAIL] == 0 ? CLI_OK : CLI_FAILED;
}
