/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/prefixes.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"

_Static_assert(PREFIXES_KEY == crypto_shorthash_KEYBYTES, "the hash's key");

void prefixes_init(struct prefixes *t, struct prefixes_one one[], uint32_t sets,
		   const uint8_t key[PREFIXES_KEY])
{
	assert(sets > 0 && (sets & (sets - 1)) == 0);
	*t = (struct prefixes){ .one = one, .sets = sets };
	memcpy(t->key, key, PREFIXES_KEY);
}

struct vx6_xdp_prefix prefixes_of(const struct vx6_addr *a)
{
	struct vx6_xdp_prefix p = { .v4 = vx6_addr_is_v4(a) };

	if (p.v4)
		memcpy(p.bits, a->ip + 12, VX6_XDP_PREFIX_V4);
	else
		memcpy(p.bits, a->ip, VX6_XDP_PREFIX_V6);
	return p;
}

/* The prefix's own, or the one of its set that owes least. */
static struct prefixes_one *
bucket_of(struct prefixes *t, const struct vx6_xdp_prefix *p, uint64_t now_ns)
{
	uint8_t h[crypto_shorthash_BYTES];
	struct prefixes_one *set, *least;

	crypto_shorthash(h, (const uint8_t *)p, sizeof(*p), t->key);
	set = &t->one[(vx6_get32(h) & (t->sets - 1)) * PREFIXES_WAYS];
	least = set;
	for (struct prefixes_one *b = set; b < set + PREFIXES_WAYS; b++) {
		if (memcmp(&b->key, p, sizeof(*p)) == 0)
			return b;
		if (b->due_ns < least->due_ns)
			least = b;
	}
	t->crowded += least->due_ns > now_ns;
	least->key = *p;
	return least;
}

bool prefixes_take(struct prefixes *t, const struct vx6_addr *from,
		   uint32_t rate, uint32_t burst, uint64_t now_ns)
{
	struct vx6_xdp_prefix p = prefixes_of(from);
	struct prefixes_one *b = bucket_of(t, &p, now_ns);
	uint64_t each = VX6_SEC / rate;
	uint64_t due = b->due_ns > now_ns ? b->due_ns : now_ns;

	if (due - now_ns > each * (burst - 1)) {
		t->refused++;
		return false;
	}
	b->due_ns = due + each;
	return true;
}
