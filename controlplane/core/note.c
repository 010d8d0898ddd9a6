/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/note.h"

#include <string.h>

#include "dataplane/base/bytes.h"

#define FORM        2u
#define FLAG_OPENER 1u

enum { AT_USE = 1, AT_FLAGS, AT_NODE = 4, AT_OTHER = 36, AT_LIFE = 40 };

void note_emit(uint8_t out[NOTE_LEN], const struct note *n)
{
	memset(out, 0, NOTE_LEN);
	out[0] = FORM;
	out[AT_USE] = (uint8_t)n->use;
	out[AT_FLAGS] = n->opener ? FLAG_OPENER : 0;
	memcpy(out + AT_NODE, n->node, sizeof(n->node));
	vx6_put32(out + AT_OTHER, n->other);
	vx6_put32(out + AT_LIFE, n->life_s);
}

/* Which uses have an opener, another half, a life. */
static bool sane(const struct note *n)
{
	bool pair = n->use == NOTE_FORWARD || n->use == NOTE_BACKWARD;
	bool link = n->use == NOTE_LINK;

	return n->use >= NOTE_LINK && n->use <= NOTE_ORIGIN &&
	       (link || !n->opener) && pair == (n->other != 0) &&
	       link == (n->life_s == 0) && n->life_s <= NOTE_LIFE_MAX;
}

enum vx6_status note_parse(struct note *n, const uint8_t in[NOTE_LEN])
{
	uint8_t again[NOTE_LEN];

	if (in[0] != FORM)
		return VX6_BAD_VERSION;
	*n = (struct note){ .use = (enum note_use)in[AT_USE],
			    .opener = in[AT_FLAGS] == FLAG_OPENER,
			    .other = vx6_get32(in + AT_OTHER),
			    .life_s = vx6_get32(in + AT_LIFE) };
	memcpy(n->node, in + AT_NODE, sizeof(n->node));
	if (!sane(n))
		return VX6_MALFORMED;
	note_emit(again, n); /* whatever was not read must be zero */
	return memcmp(again, in, NOTE_LEN) == 0 ? VX6_OK : VX6_MALFORMED;
}
