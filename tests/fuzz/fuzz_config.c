/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_config: any text at all is taken whole or refused with one printable
 * line that has a place inside the text. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/rules.h"

static unsigned lines_of(const uint8_t *data, size_t len)
{
	unsigned n = 1;

	for (size_t i = 0; i < len; i++)
		n += data[i] == '\n';
	return n;
}

static void judge_refusal(const struct config_error *e, const uint8_t *data,
			  size_t len)
{
	if (e->text[0] == '\0' || e->line > lines_of(data, len) ||
	    (e->line == 0) != (e->column == 0) || e->column > len + 1)
		abort();
	if (strlen(e->text) >= sizeof(e->text) ||
	    strncmp(e->text, "fuzz", 4) != 0)
		abort();
	for (const char *s = e->text; *s != '\0'; s++)
		if (*s == '\n' || *s == '\x1b')
			abort();
}

/* What later code relies on without asking again. */
static void judge_taken(const struct config *c)
{
	struct config_rule rule;

	if (config_broken_rule(c, &rule) || c->control.listen_cnt < 1 ||
	    c->control.listen_cnt > CONFIG_LISTEN_MAX ||
	    c->control.advertise_cnt > CONFIG_ADVERTISE_MAX ||
	    c->peers_cnt > CONFIG_PEERS_MAX ||
	    c->node.via_cnt > CONFIG_VIA_MAX ||
	    strlen(c->run) > CONFIG_RUN_MAX || c->limits.half_open < 1 ||
	    c->timers.dial_ns == 0)
		abort();
	if (c->node.name[0] != '\0' &&
	    !name_ok(c->node.name, strlen(c->node.name)))
		abort();
	for (uint32_t i = 0; i < c->peers_cnt; i++)
		if (c->peers[i].address.port == 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct config c;
	struct config_error e;
	enum vx6_status st = config_parse((const char *)data, len, "fuzz", &c,
					  &e);

	if (st == VX6_OK)
		judge_taken(&c);
	else
		judge_refusal(&e, data, len);
	return 0;
}
