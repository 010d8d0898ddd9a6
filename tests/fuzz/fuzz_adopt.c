/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_adopt: any dump ends in verdicts that keep the laws of
 * tests/support/adopt_law.h, and any 96 bytes are a note or none.
 *
 * A row is eight bytes: whether it is a link, a circuit's two halves or one
 * half by itself, small numbers so that rows meet, and which byte of its
 * note or which field is not as it should be. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "tests/support/adopt_law.h"

#define ROWS  64u
#define EACH  8u
#define LINKS 12u

static struct adopt_link link[ROWS];
static struct adopt_half half[2 * ROWS];

/* What the data plane gives back went through 96 bytes. */
static bool through_bytes(struct note *n, const uint8_t p[EACH])
{
	uint8_t text[NOTE_LEN];

	note_emit(text, n);
	text[p[6] % NOTE_LEN] ^= p[7];
	return note_parse(n, text) == VX6_OK;
}

static void add_link(struct adopt *a, const uint8_t p[EACH])
{
	struct adopt_link *l = &link[a->link_cnt++];

	*l = adopt_row_link(p[1] % (LINKS + 2u), p[2], p[3] % 16u);
	l->down = p[4] == 1;
	l->u = p[5] == 1 ? 3 : 1452;
	l->known = through_bytes(&l->note, p);
}

static uint32_t number(const uint8_t *p)
{
	return (uint32_t)(p[0] >> 6) << 20 | (p[0] & 63u);
}

static void add_halves(struct adopt *a, const uint8_t p[EACH], unsigned n)
{
	struct adopt_half *h = &half[a->half_cnt], two[2];
	struct adopt_link none = { 0 };
	const struct adopt_link *prev = &none, *next = &none;

	if (a->link_cnt > 0) {
		prev = &link[p[3] % a->link_cnt];
		next = &link[p[4] % a->link_cnt];
	}
	adopt_row_pair(two, number(p + 1), number(p + 2), prev, next);
	two[0].known = through_bytes(&two[0].note, p);
	two[1].kind = p[5] < 8 ? p[5] : ADOPT_BACKWARD;
	two[1].left_ns = p[5] == 8 ? 0 : 60 * VX6_SEC;
	memcpy(h, two + (n == 1 ? p[0] >> 7 : 0), n * sizeof(*h));
	a->half_cnt += n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct adopt a = { .links_max = LINKS,
			   .halves_max = 60,
			   .slack_ns = 30 * VX6_SEC,
			   .link = link,
			   .half = half };
	struct note n;

	if (len >= NOTE_LEN) {
		uint8_t again[NOTE_LEN];

		if (note_parse(&n, data) == VX6_OK) {
			note_emit(again, &n);
			if (memcmp(again, data, NOTE_LEN) != 0)
				abort();
		}
	}
	memset(a.self, 15, sizeof(a.self));
	for (unsigned i = 0; i < ROWS && len >= EACH; i++) {
		switch (data[0] & 3u) {
		case 0: add_link(&a, data); break;
		case 1: add_halves(&a, data, 1); break;
		default: add_halves(&a, data, 2); break;
		}
		data += EACH;
		len -= EACH;
	}
	const char *broken = adopt_law(&a);

	if (broken) {
		fprintf(stderr, "%s\n", broken);
		abort();
	}
	return 0;
}
