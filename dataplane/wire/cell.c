/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/cell.h"

_Static_assert(VX6_CELL_HDR + VX6_LEN_MAX == VX6_CELL_MAX,
	       "the longest C fills the longest cell");
_Static_assert(
	VX6_CELL_HDR + VX6_LEN_MIN == VX6_CELL_MIN,
	"the shortest cell holds one AES block behind its first 4 bytes");

enum vx6_status vx6_cell_parse(struct vx6_cell *cell, const uint8_t *p,
			       size_t size)
{
	const uint8_t *h8 = p + 8;
	struct vx6_cell got = {
		.ctr = vx6_h8_ctr(h8),
		.link = vx6_get24(p + 1),
		.circ = vx6_get32(p + 4),
		.len = vx6_h8_len(h8),
		.kind = vx6_h8_kind(h8),
	};

	if (vx6_unlikely(got.kind < VX6_KIND_DATA || got.kind > VX6_KIND_PROBE))
		return VX6_BAD_KIND;
	if (vx6_unlikely((got.kind == VX6_KIND_PROBE) != (got.circ == 0)))
		return VX6_BAD_KIND;
	if (vx6_unlikely(got.len < VX6_LEN_MIN || got.len > VX6_LEN_MAX ||
			 VX6_CELL_HDR + (size_t)got.len > size))
		return VX6_BAD_SIZE;
	*cell = got;
	return VX6_OK;
}
