/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_ITEM_H
#define VX6_CONTROLPLANE_RECORD_ITEM_H

/* item: CBOR as this room reads and writes it, on top of tinycbor.
 *
 * Reading is two steps.  item_check walks the bytes once, without
 * recursion, and lets through one well-formed item of RFC 8949 section
 * 4.2.1 (shortest heads, definite lengths) of at most ITEM_DEPTH levels,
 * made of integers, strings, arrays, maps, false, true and null.  Tags and
 * floats are refused: nothing here uses them, and tinycbor asserts on a
 * tag that is skipped.  Only then a cursor goes through a map or an array:
 *
 *     struct item_in in;
 *     item_open(&in, body, len);
 *     while (item_next(&in))
 *             switch (in.key) {
 *             case 1: item_u32(&in, 1, 9, &x); break;
 *             }                       // what is not taken is skipped
 *     return item_end(&in, ITEM_NEED(1));
 *
 * A cursor keeps its first error: getters do nothing after it, item_next
 * ends the loop, item_end tells it.  Map keys are unsigned and ascending,
 * so none comes twice; strings point into the bytes.
 *
 * Writing is the same the other way round: struct item_out keeps its first
 * error, and the keys are written in ascending order by whoever writes.
 *
 * Ownership: cursors are the caller's and hold nothing.  Threads: any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cbor.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define ITEM_DEPTH   8u
#define ITEM_NEED(k) (UINT64_C(1) << (k)) /* k < 64 */

struct item_in {
	CborParser parser;
	CborValue at;  /* the value of `key`, or the next key */
	uint64_t key;  /* of a map; position in an array */
	uint64_t seen; /* bit k: key k < 64 was there */
	uint32_t cnt;  /* entries met so far */
	bool is_map;
	bool on_value;
	enum vx6_status st;
};

/* item_check: VX6_OK for exactly one item in p[0..len); VX6_TRUNCATED when
 * it ends too early, else VX6_MALFORMED. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status item_check(const uint8_t *p,
						      size_t len);

/* item_open checks p[0..len) and stands before the map's first entry. */
VX6_NONNULL void item_open(struct item_in *in, const uint8_t *p, size_t len);
/* item_open_array is for one item that is an array. */
VX6_NONNULL void item_open_array(struct item_in *in, const uint8_t *p,
				 size_t len);

/* item_next goes to the next entry; false at the end or after an error. */
VX6_NONNULL bool item_next(struct item_in *in);

/* item_end tells the first error, or that a key of need is missing. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status item_end(struct item_in *in,
						    uint64_t need);

/* item_map and item_array open the current value as a child, which the
 * caller walks before it goes on; item_done carries its error up. */
VX6_NONNULL void item_map(struct item_in *in, struct item_in *child);
VX6_NONNULL void item_array(struct item_in *in, struct item_in *child);
VX6_NONNULL void item_done(struct item_in *in, struct item_in *child,
			   uint64_t need);

/* item_fail makes the cursor refuse, for rules that the caller checks. */
VX6_NONNULL void item_fail(struct item_in *in);

/* Getters of the current value; out of range or another type fails. */
VX6_NONNULL void item_u64(struct item_in *in, uint64_t min, uint64_t max,
			  uint64_t *v);
VX6_NONNULL void item_u32(struct item_in *in, uint32_t min, uint32_t max,
			  uint32_t *v);
VX6_NONNULL void item_u16(struct item_in *in, uint16_t min, uint16_t max,
			  uint16_t *v);
VX6_NONNULL void item_bytes(struct item_in *in, size_t min, size_t max,
			    const uint8_t **p, size_t *len);
/* item_fixed copies a byte string of exactly len bytes. */
VX6_NONNULL void item_fixed(struct item_in *in, uint8_t *out, size_t len);
/* item_text copies a text of 1..cap-1 printable ASCII characters. */
VX6_NONNULL void item_text(struct item_in *in, char *out, size_t cap);
VX6_NONNULL bool item_is_null(struct item_in *in);
VX6_NONNULL bool item_is_text(const struct item_in *in);

/* ---- writing ---- */

struct item_out {
	CborEncoder level[ITEM_DEPTH];
	uint8_t *start;
	unsigned depth;
	bool full;
};

VX6_NONNULL void item_begin(struct item_out *o, uint8_t *buf, size_t cap);
/* item_finish: VX6_BAD_SIZE when something did not fit. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status item_finish(struct item_out *o,
						       size_t *len);
VX6_NONNULL void item_put_map(struct item_out *o, size_t pairs);
VX6_NONNULL void item_put_array(struct item_out *o, size_t n);
VX6_NONNULL void item_put_up(struct item_out *o); /* end of map or array */
VX6_NONNULL void item_put_u64(struct item_out *o, uint64_t v);
VX6_NONNULL void item_put_null(struct item_out *o);
VX6_NONNULL_ARGS(1)
void item_put_bytes(struct item_out *o, const uint8_t *p, size_t len);
VX6_NONNULL void item_put_text(struct item_out *o, const char *s);

#endif
