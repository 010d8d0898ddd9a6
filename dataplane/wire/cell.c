/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/cell.h"

_Static_assert(VX6_CELL_HDR + VX6_LEN_MAX == VX6_CELL_MAX,
	       "the longest C fills the longest cell");
_Static_assert(
	VX6_CELL_HDR + VX6_LEN_MIN == VX6_CELL_MIN,
	"the shortest cell holds one AES block behind its first 4 bytes");
