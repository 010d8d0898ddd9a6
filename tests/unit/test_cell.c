/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cell: the sixteen header bytes, what is refused before any circuit is
 * looked up, and what header protection does to a changed bit. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/wire/cell.h"

static int start(void **state)
{
	(void)state;
	return vx6_aead_start() == VX6_OK ? 0 : -1;
}

static void cell_of(uint8_t *p, uint32_t circ, unsigned kind, size_t len)
{
	vx6_cell_put(p, 0x010203, circ);
	vx6_h8_put(p + 8, UINT64_C(0x111213141516), kind, len);
}

static void fields_lie_where_section_2_says(void **state)
{
	static const uint8_t want[16] = { 0x01, 0x01, 0x02, 0x03, 0x0a, 0x0b,
					  0x0c, 0x0d, 0x11, 0x12, 0x13, 0x14,
					  0x15, 0x16, 0x25, 0xb0 };
	uint8_t p[VX6_CELL_MAX] = { 0 };
	struct vx6_cell c;
	uint32_t link = 0;

	(void)state;
	cell_of(p, 0x0a0b0c0d, VX6_KIND_CONTROL, 0x5b0);
	assert_memory_equal(p, want, sizeof(want));
	assert_int_equal(vx6_cell_link(p, sizeof(p), &link), VX6_OK);
	assert_int_equal(link, 0x010203);
	assert_int_equal(vx6_cell_parse(&c, p, sizeof(p)), VX6_OK);
	assert_int_equal(c.link, 0x010203);
	assert_int_equal(c.circ, 0x0a0b0c0d);
	assert_int_equal(c.ctr, UINT64_C(0x111213141516));
	assert_int_equal(c.kind, VX6_KIND_CONTROL);
	assert_int_equal(c.len, 0x5b0);
}

static void version_and_size_on_the_wire(void **state)
{
	uint8_t p[VX6_CELL_MAX + 1] = { 0 };
	uint32_t link;

	(void)state;
	cell_of(p, 1, VX6_KIND_DATA, 16);
	for (size_t n = 0; n <= sizeof(p); n++)
		assert_int_equal(vx6_cell_link(p, n, &link),
				 n < 32 || n > 1472 ? VX6_BAD_SIZE : VX6_OK);
	for (unsigned v = 0; v < 256; v++) {
		p[0] = (uint8_t)v;
		assert_int_equal(vx6_cell_link(p, 32, &link),
				 v == 1 ? VX6_OK : VX6_BAD_VERSION);
	}
}

/* clang-format off */
static const struct {
	const char *name;
	uint32_t circ;
	unsigned kind;
	size_t len, size;
	enum vx6_status want;
} row[] = {
	{ "data",			1, 1, 16,   32,   VX6_OK },
	{ "control",			1, 2, 16,   32,   VX6_OK },
	{ "drop",			1, 3, 16,   32,   VX6_OK },
	{ "probe",			0, 4, 16,   32,   VX6_OK },
	{ "kind 0",			1, 0, 16,   32,   VX6_BAD_KIND },
	{ "kind 0 on the link",		0, 0, 16,   32,   VX6_BAD_KIND },
	{ "kind 5",			1, 5, 16,   32,   VX6_BAD_KIND },
	{ "kind 15",			1, 15, 16,  32,   VX6_BAD_KIND },
	{ "probe on a circuit",		1, 4, 16,   32,   VX6_BAD_KIND },
	{ "data on the link",		0, 1, 16,   32,   VX6_BAD_KIND },
	{ "control on the link",	0, 2, 16,   32,   VX6_BAD_KIND },
	{ "drop on the link",		0, 3, 16,   32,   VX6_BAD_KIND },
	{ "no room for a tag",		1, 1, 15,   32,   VX6_BAD_SIZE },
	{ "len 0",			1, 1, 0,    1472, VX6_BAD_SIZE },
	{ "one byte beyond",		1, 1, 17,   32,   VX6_BAD_SIZE },
	{ "the largest",		1, 1, 1456, 1472, VX6_OK },
	{ "larger",			1, 1, 1457, 1472, VX6_BAD_SIZE },
	{ "largest that 12 bits say",	1, 1, 4095, 1472, VX6_BAD_SIZE },
	{ "padded",			1, 1, 100,  1232, VX6_OK },
};
/* clang-format on */

static void each_row_ends_as_told(void **state)
{
	(void)state;
	for (unsigned r = 0; r < VX6_COUNT(row); r++) {
		uint8_t p[VX6_CELL_MAX] = { 0 };
		struct vx6_cell c, untouched;

		cell_of(p, row[r].circ, row[r].kind, row[r].len);
		memset(&c, 0xee, sizeof(c));
		memset(&untouched, 0xee, sizeof(untouched));
		if (vx6_cell_parse(&c, p, row[r].size) != row[r].want)
			fail_msg("%s", row[r].name);
		if (row[r].want != VX6_OK)
			assert_memory_equal(&c, &untouched, sizeof(c));
	}
}

static void the_size_rule(void **state)
{
	(void)state;
	assert_true(vx6_cell_fits(0, 116, 100));
	assert_false(vx6_cell_fits(0, 115, 100));
	assert_false(vx6_cell_fits(0, 117, 100));
	assert_false(vx6_cell_fits(0, 1232, 100));
	assert_true(vx6_cell_fits(1232, 1232, 100));
	assert_true(vx6_cell_fits(1232, 1232, 1216));
	assert_false(vx6_cell_fits(1232, 1232, 1217));
	assert_false(vx6_cell_fits(1232, 116, 100));
	assert_false(vx6_cell_fits(1232, 1452, 100));
	assert_true(vx6_cell_fits(1452, 1452, 1436));
	assert_false(vx6_cell_fits(1452, 1472, 1436));
}

static void the_size_to_send(void **state)
{
	(void)state;
	assert_int_equal(vx6_cell_out_size(0, 100), 116);
	assert_int_equal(vx6_cell_out_size(0, 1456), 1472);
	assert_int_equal(vx6_cell_out_size(0, 1457), 0);
	assert_int_equal(vx6_cell_out_size(1232, 100), 1232);
	assert_int_equal(vx6_cell_out_size(1232, 1216), 1232);
	assert_int_equal(vx6_cell_out_size(1232, 1217), 0);
	assert_int_equal(vx6_cell_out_size(1452, 1217), 1452);
	for (unsigned s = 0; s <= UINT16_MAX; s++)
		assert_int_equal(vx6_cell_size_ok((uint16_t)s),
				 s == 0 || s == 1232 || s == 1452);
}

static void protection_is_one_block(void **state)
{
	uint8_t p[64], q[64], key[16], want[16];
	struct vx6_aes aes;

	(void)state;
	randombytes_buf(p, sizeof(p));
	randombytes_buf(key, sizeof(key));
	memcpy(q, p, sizeof(q));
	vx6_aes_init(&aes, key, sizeof(key));
	vx6_aes_encrypt(&aes, want, p + 4);
	vx6_cell_protect(&aes, q);
	assert_memory_equal(q, p, 4);
	assert_memory_equal(q + 4, want, 16);
	assert_memory_equal(q + 20, p + 20, sizeof(p) - 20);
	vx6_cell_unprotect(&aes, q);
	assert_memory_equal(q, p, sizeof(p));
}

/* A changed bit on the wire leaves nothing of the block: about half of
 * its 128 bits turn (mean 64, deviation 5.7). */
static void a_changed_bit_leaves_nothing(void **state)
{
	uint8_t p[32], q[32], key[16];
	struct vx6_aes aes;

	(void)state;
	randombytes_buf(p, sizeof(p));
	randombytes_buf(key, sizeof(key));
	vx6_aes_init(&aes, key, sizeof(key));
	for (unsigned bit = 32; bit < 160; bit++) {
		unsigned turned = 0;

		memcpy(q, p, sizeof(q));
		vx6_cell_protect(&aes, q);
		q[bit / 8] ^= (uint8_t)(1u << bit % 8);
		vx6_cell_unprotect(&aes, q);
		for (unsigned i = 4; i < 20; i++)
			turned += (unsigned)__builtin_popcount(p[i] ^ q[i]);
		assert_in_range(turned, 16, 112);
	}
}

static void one_vector(const json_t *v)
{
	uint8_t key[16], made[VX6_CELL_MAX] = { 0 }, wire[VX6_CELL_MAX] = { 0 };
	size_t size = vec_bytes(v, "wire", wire, sizeof(wire));
	struct vx6_cell c = { 0 };
	struct vx6_aes aes;
	uint32_t link = 0;

	vec_exact(v, "key", key, sizeof(key));
	vx6_aes_init(&aes, key, sizeof(key));
	vx6_cell_put(made, (uint32_t)vec_int(v, "link"),
		     (uint32_t)vec_int(v, "circ"));
	vx6_h8_put(made + 8, vec_int(v, "counter"),
		   (unsigned)vec_int(v, "kind"), vec_int(v, "len"));
	vec_exact(v, "body", made + 16, size - 16);
	vx6_cell_protect(&aes, made);
	assert_memory_equal(made, wire, size);

	assert_int_equal(vx6_cell_link(wire, size, &link), VX6_OK);
	assert_int_equal(link, vec_int(v, "link"));
	vx6_cell_unprotect(&aes, wire);
	assert_int_equal(vx6_cell_parse(&c, wire, size), VX6_OK);
	assert_int_equal(c.link, link);
	assert_int_equal(c.circ, vec_int(v, "circ"));
	assert_int_equal(c.ctr, vec_int(v, "counter"));
	assert_int_equal(c.kind, vec_int(v, "kind"));
	assert_int_equal(c.len, vec_int(v, "len"));
}

static void second_implementation_agrees(void **state)
{
	json_t *root = vec_load("cell");
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_list(root, "cell"), i, v) one_vector(v);
	json_decref(root);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(fields_lie_where_section_2_says),
		cmocka_unit_test(version_and_size_on_the_wire),
		cmocka_unit_test(each_row_ends_as_told),
		cmocka_unit_test(the_size_rule),
		cmocka_unit_test(the_size_to_send),
		cmocka_unit_test(protection_is_one_block),
		cmocka_unit_test(a_changed_bit_leaves_nothing),
		cmocka_unit_test(second_implementation_agrees),
	};

	return cmocka_run_group_tests_name("cell", test, start, NULL);
}
