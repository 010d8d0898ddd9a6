/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay's tables: a command is done whole or refused, limits hold, ids of
 * another generation name nothing, a dump tells all and no key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/support/one_relay.h"

#define ID(gen, idx) ((uint32_t)(gen) << ABI_IDX_BITS | (idx))

static int open_small(void **state)
{
	const struct relay_opts o = { .links_max = 8, .halves_max = 16 };

	(void)state;
	one_open(&o, 0);
	return 0;
}

static enum vx6_status add_link(uint32_t index)
{
	struct abi_link l = dp_link(index);

	return relay_link_add(node.relay, &l, node.now);
}

static enum vx6_status add_half(struct abi_half h)
{
	return relay_half_add(node.relay, &h, node.now);
}

static void links_have_limits(void **state)
{
	struct abi_link l = dp_link(3);

	(void)state;
	assert_int_equal(add_link(0), VX6_MALFORMED);
	for (uint32_t i = 1; i < 8; i++)
		assert_int_equal(add_link(i), VX6_OK);
	assert_int_equal(node.relay->links, 7);
	assert_int_equal(add_link(8), VX6_NO_ROOM);
	assert_int_equal(add_link(VX6_LINK_INDEX_MAX), VX6_NO_ROOM);
	assert_int_equal(add_link(3), VX6_EXISTS);
	assert_int_equal(relay_link_remove(node.relay, 3), VX6_OK);
	assert_int_equal(relay_link_remove(node.relay, 3), VX6_NO_LINK);
	assert_int_equal(relay_link_remove(node.relay, 0), VX6_NO_LINK);
	assert_int_equal(relay_link_remove(node.relay, 9999), VX6_NO_LINK);
	assert_int_equal(relay_link_change(node.relay, &l, node.now),
			 VX6_NO_LINK);
	/* refused for its own sake, and not half there */
	l.u = 1;
	assert_int_equal(relay_link_add(node.relay, &l, node.now),
			 VX6_MALFORMED);
	assert_int_equal(node.relay->links, 6);
	assert_int_equal(add_link(3), VX6_OK);
}

/* Takes all noted links off; a bit for each, and which are no more. */
static uint32_t noted(uint32_t *gone)
{
	const struct vx6_addr *addr;
	uint32_t index, bits = 0;

	*gone = 0;
	while (relay_noted(node.relay, &index, &addr)) {
		assert_int_equal(bits & (1u << index), 0);
		bits |= 1u << index;
		if (addr == NULL)
			*gone |= 1u << index;
		else
			assert_ptr_equal(addr,
					 &node.relay->link[index].link.addr);
	}
	return bits;
}

static void links_whose_address_changed_are_noted(void **state)
{
	struct abi_link l = dp_link(3);
	uint32_t gone;

	(void)state;
	assert_int_equal(noted(&gone), 0);
	for (uint32_t i = 1; i < 8; i++)
		assert_int_equal(add_link(i), VX6_OK);
	assert_int_equal(noted(&gone), 0xfe);
	assert_int_equal(gone, 0);
	/* a note alone, and the same address, are no change */
	assert_int_equal(relay_link_change(node.relay, &l, node.now), VX6_OK);
	assert_int_equal(noted(&gone), 0);
	l.peer = dp_peer(4);
	assert_int_equal(relay_link_change(node.relay, &l, node.now), VX6_OK);
	/* each is noted once, as it is when it is asked for */
	assert_int_equal(relay_link_remove(node.relay, 3), VX6_OK);
	assert_int_equal(relay_link_remove(node.relay, 5), VX6_OK);
	assert_int_equal(add_link(5), VX6_OK);
	assert_int_equal(noted(&gone), 1u << 3 | 1u << 5);
	assert_int_equal(gone, 1u << 3);
	assert_int_equal(add_link(3), VX6_OK);
	assert_int_equal(noted(&gone), 1u << 3);
	assert_int_equal(gone, 0);
	assert_int_equal(relay_link_remove(node.relay, 2), VX6_OK);
	assert_int_equal(noted(&gone), 1u << 2);
	assert_int_equal(gone, 1u << 2);
}

static void halves_have_limits(void **state)
{
	(void)state;
	assert_int_equal(add_link(1), VX6_OK);
	assert_int_equal(add_link(2), VX6_OK);
	for (uint32_t i = 1; i < 16; i++)
		assert_int_equal(
			add_half(dp_half(ABI_HALF_FORWARD, ID(i, i), 1, 2, 77)),
			VX6_OK);
	assert_int_equal(node.relay->halves, 15);
	assert_int_equal(add_half(dp_half(ABI_HALF_FORWARD, 16, 1, 2, 77)),
			 VX6_NO_ROOM);
	assert_int_equal(
		add_half(dp_half(ABI_HALF_FORWARD, UINT32_MAX, 1, 2, 77)),
		VX6_NO_ROOM);
	/* a slot in use keeps its key, whatever the generation */
	assert_int_equal(
		add_half(dp_half(ABI_HALF_FORWARD, ID(5, 5), 1, 2, 77)),
		VX6_EXISTS);
	assert_int_equal(
		add_half(dp_half(ABI_HALF_FORWARD, ID(6, 5), 1, 2, 77)),
		VX6_EXISTS);
	/* another generation names nothing */
	assert_int_equal(relay_half_remove(node.relay, ID(6, 5)),
			 VX6_NO_CIRCUIT);
	assert_int_equal(relay_half_remove(node.relay, 0), VX6_NO_CIRCUIT);
	assert_int_equal(relay_half_remove(node.relay, ID(0, 16)),
			 VX6_NO_CIRCUIT);
	assert_int_equal(relay_half_remove(node.relay, ID(5, 5)), VX6_OK);
	assert_int_equal(relay_half_remove(node.relay, ID(5, 5)),
			 VX6_NO_CIRCUIT);
	assert_int_equal(node.relay->halves, 14);
	assert_int_equal(
		add_half(dp_half(ABI_HALF_FORWARD, ID(6, 5), 1, 2, 77)),
		VX6_OK);
}

static void halves_are_judged(void **state)
{
	const struct abi_half good = dp_half(ABI_HALF_FORWARD, 5, 1, 2, 77);
	struct abi_half h;

	(void)state;
	assert_int_equal(add_link(1), VX6_OK);
	assert_int_equal(add_link(2), VX6_OK);
#define REFUSED(change, why)                                                   \
	do {                                                                   \
		h = good;                                                      \
		change;                                                        \
		assert_int_equal(add_half(h), (why));                          \
	} while (0)
	REFUSED(h.id = 0, VX6_MALFORMED);
	REFUSED(h.id = ID(3, 0), VX6_MALFORMED);
	REFUSED(h.in_link = 0, VX6_MALFORMED);
	REFUSED(h.in_link = 3, VX6_NO_LINK);
	REFUSED(h.in_link = UINT32_MAX, VX6_NO_LINK);
	REFUSED(h.out_link = 3, VX6_NO_LINK);
	REFUSED(h.out_link = 1u << 24, VX6_NO_LINK);
	REFUSED(h.out_id = 0, VX6_MALFORMED);
	REFUSED(h.out_link = 0, VX6_MALFORMED);
	REFUSED(h.start_rx = UINT64_C(1) << 46, VX6_MALFORMED);
	REFUSED(h.start_tx = UINT64_MAX, VX6_MALFORMED);
	REFUSED(h.cell_size_in = 1233, VX6_MALFORMED);
	REFUSED(h.cell_size_out = 1, VX6_MALFORMED);
	REFUSED(h.kind = 0, VX6_MALFORMED);
	REFUSED(h.kind = 4, VX6_MALFORMED);
	REFUSED(h.suite = 0, VX6_UNSUPPORTED);
	REFUSED(h.suite = 4, VX6_UNSUPPORTED);
	REFUSED(h.suite = 200, VX6_UNSUPPORTED);
	REFUSED(h.kind = ABI_HALF_LOCAL, VX6_MALFORMED); /* has a way out */
	REFUSED((h.kind = ABI_HALF_BACKWARD, h.out_link = h.out_id = 0),
		VX6_MALFORMED);
#undef REFUSED
	assert_int_equal(node.relay->halves, 0);
	assert_int_equal(add_half(good), VX6_OK);
	/* a terminal: no way out, no way in */
	assert_int_equal(add_half(dp_half(ABI_HALF_FORWARD, 6, 1, 0, 0)),
			 VX6_OK);
	assert_int_equal(add_half(dp_half(ABI_HALF_BACKWARD, 7, 0, 1, 9)),
			 VX6_OK);
	assert_int_equal(add_half(dp_half(ABI_HALF_LOCAL, 8, 1, 0, 0)), VX6_OK);
}

static void a_link_takes_its_halves_along(void **state)
{
	static const uint8_t zero[sizeof(struct vx6_layer)];
	uint32_t left = 0;

	(void)state;
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(add_link(i), VX6_OK);
	for (uint32_t i = 1; i < 16; i++)
		assert_int_equal(
			add_half(dp_half(ABI_HALF_FORWARD, i, 1 + i % 3,
					 1 + (i + 1) % 3, 77)),
			VX6_OK);
	assert_int_equal(relay_link_remove(node.relay, 2), VX6_OK);
	for (uint32_t i = 1; i < 16; i++) {
		const struct relay_half *h = &node.relay->half[i];

		if (h->id == 0) {
			assert_memory_equal(&node.relay->gcm[i], zero,
					    sizeof(*node.relay->gcm));
			assert_memory_equal(h, zero, sizeof(*h));
			continue;
		}
		assert_int_not_equal(h->in_link, 2);
		assert_int_not_equal(h->out_link, 2);
		left++;
	}
	assert_int_equal(left, 5);
	assert_int_equal(node.relay->halves, 5);
	/* and its keys are gone */
	assert_memory_equal(&node.relay->link[2].link, zero,
			    sizeof(struct vx6_aes));
}

static void all_is_told_and_no_key(void **state)
{
	static const uint8_t zero[sizeof(struct vx6_link_keys)];
	bool link[8] = { 0 }, half[16] = { 0 };
	uint64_t cursor = 0;
	struct abi_msg m;
	unsigned links = 0, halves = 0;

	(void)state;
	assert_int_equal(add_link(2), VX6_OK);
	assert_int_equal(add_link(7), VX6_OK);
	for (uint32_t i = 1; i < 16; i += 2) {
		struct abi_half h = dp_half(ABI_HALF_FORWARD, ID(i, i), 2, 7,
					    i + 50);

		h.life_ns = i == 1 ? 0 : i * VX6_SEC;
		assert_int_equal(add_half(h), VX6_OK);
	}
	node.now += VX6_SEC;
	while (relay_dump(node.relay, node.now, &cursor, &m)) {
		if (m.type == ABI_LINK_IS) {
			struct abi_link l = dp_link(m.u.link.index);

			assert_memory_equal(&m.u.link.keys, zero,
					    sizeof(m.u.link.keys));
			assert_int_equal(m.u.link.peer_index, l.peer_index);
			assert_memory_equal(&m.u.link.peer, &l.peer,
					    sizeof(l.peer));
			assert_memory_equal(m.u.link.note, l.note,
					    sizeof(l.note));
			assert_false(link[l.index]);
			link[l.index] = true;
			links++;
		} else if (m.type == ABI_HALF_IS) {
			uint32_t i = m.u.half.id & ABI_IDX_MASK;
			struct abi_half h = dp_half(ABI_HALF_FORWARD, ID(i, i),
						    2, 7, i + 50);

			h.life_ns = i == 1 ? 0 : (i - 1) * VX6_SEC;
			memset(h.key, 0, sizeof(h.key));
			memset(h.iv, 0, sizeof(h.iv));
			assert_memory_equal(&m.u.half, &h, sizeof(h));
			assert_false(half[i]);
			half[i] = true;
			halves++;
		}
	}
	assert_int_equal(links, 2);
	assert_int_equal(halves, 8);
}

static void events_name_the_half_and_are_said_once(void **state)
{
	struct abi_half h = dp_half(ABI_HALF_FORWARD, ID(9, 3), 1, 2, 77);
	const struct abi_msg *m;
	unsigned sent;

	(void)state;
	assert_int_equal(add_link(1), VX6_OK);
	assert_int_equal(add_link(2), VX6_OK);
	h.life_ns = RELAY_IDLE_NS + 10 * VX6_SEC;
	assert_int_equal(add_half(h), VX6_OK);
	for (unsigned i = 0; i < RELAY_IDLE_NS / VX6_SEC + 5; i++) {
		node.now += VX6_SEC;
		assert_true(dp_tick(&node, &sent));
		for (unsigned k = 0; k < sent; k++) {
			struct net_frame *f = port_mem_get(node.port);

			one_give(f);
		}
		for (m = relay_event(node.relay);
		     m != NULL && m->type == ABI_LINK_EVENT;
		     m = relay_event(node.relay))
			relay_event_done(node.relay);
	}
	m = relay_event(node.relay);
	assert_non_null(m);
	assert_int_equal(m->type, ABI_HALF_EVENT);
	assert_int_equal(m->u.ref.id, ID(9, 3));
	assert_int_equal(m->u.ref.event, ABI_HALF_IDLE);
	relay_event_done(node.relay);
	assert_null(relay_event(node.relay));
	node.now += 10 * VX6_SEC;
	assert_true(relay_due(node.relay) <= node.now);
	assert_true(dp_tick(&node, &sent));
	m = relay_event(node.relay);
	while (m != NULL && m->type == ABI_LINK_EVENT) {
		relay_event_done(node.relay);
		m = relay_event(node.relay);
	}
	assert_non_null(m);
	assert_int_equal(m->u.ref.event, ABI_HALF_EXPIRED);
	assert_int_equal(m->u.ref.id, ID(9, 3));
	assert_int_equal(node.relay->halves, 0);
	/* and the slot is free for a new one */
	assert_int_equal(add_half(h), VX6_OK);
}

static void a_full_event_queue_forgets_no_expiry(void **state)
{
	struct abi_half h = dp_half(ABI_HALF_LOCAL, 3, 1, 0, 0);
	struct abi_link l = dp_link(1);
	unsigned sent, n = 0;

	(void)state;
	l.peer = (struct vx6_addr){ 0 }; /* says nothing by itself */
	assert_int_equal(relay_link_add(node.relay, &l, node.now), VX6_OK);
	h.life_ns = VX6_SEC;
	assert_int_equal(add_half(h), VX6_OK);
	node.relay->ev_cnt = RELAY_EVENTS; /* nobody takes them off */
	for (unsigned i = 0; i < 10; i++) {
		node.now += VX6_SEC;
		assert_true(dp_tick(&node, &sent));
	}
	assert_int_equal(node.relay->halves, 1); /* expired, but not said */
	while (relay_event(node.relay) != NULL)
		relay_event_done(node.relay);
	while (relay_event(node.relay) == NULL && n++ < 3) {
		node.now += VX6_SEC;
		assert_true(dp_tick(&node, &sent));
	}
	assert_non_null(relay_event(node.relay));
	assert_int_equal(relay_event(node.relay)->u.ref.event,
			 ABI_HALF_EXPIRED);
	assert_int_equal(node.relay->halves, 0);
}

static void limits_of_the_limits(void **state)
{
	static const struct relay_opts bad[] = {
		{ .links_max = 1 },
		{ .links_max = RELAY_LINKS_MAX + 1 },
		{ .halves_max = 1 },
		{ .halves_max = RELAY_HALVES_MAX + 1 },
	};
	const struct relay_opts most = { .links_max = RELAY_LINKS_MAX,
					 .halves_max = RELAY_HALVES_MAX };
	struct relay *r = node.relay;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bad); i++) {
		assert_int_equal(relay_need(&bad[i]), 0);
		assert_int_equal(relay_init(r, &bad[i], node.mem, &node.rnd),
				 VX6_CONFIG);
	}
	/* a million half-circuits must fit an ordinary machine */
	assert_true(relay_need(&most) < (size_t)4 << 30);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_small, one_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		T(links_have_limits),
		T(links_whose_address_changed_are_noted),
		T(halves_have_limits),
		T(halves_are_judged),
		T(a_link_takes_its_halves_along),
		T(all_is_told_and_no_key),
		T(events_name_the_half_and_are_said_once),
		T(a_full_event_queue_forgets_no_expiry),
		T(limits_of_the_limits),
	};

	return cmocka_run_group_tests_name("table", test, NULL, NULL);
}
