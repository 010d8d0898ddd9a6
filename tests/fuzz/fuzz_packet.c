/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_packet: any frame at all that an interface delivers.
 *
 * A payload that is described lies inside the frame, behind headers that it
 * can have; the same bytes with other bytes behind them say the same. */

#include <stdlib.h>
#include <string.h>

#include "dataplane/port/packet.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct packet p, again;
	uint8_t *longer;

	if (len > UINT16_MAX || packet_read(&p, data, len) != VX6_OK)
		return 0;
	MUST(p.at >= PACKET_HDR_V4 && (size_t)p.at + p.len <= len);
	MUST(p.ecn <= 3 && p.from.zero == 0 && p.to.zero == 0);
	longer = malloc(len + 64);
	MUST(longer != NULL);
	memcpy(longer, data, len);
	memset(longer + len, 0x5a, 64);
	MUST(packet_read(&again, longer, len + 64) == VX6_OK);
	MUST(again.at == p.at && again.len == p.len);
	MUST(vx6_addr_eq(&again.from, &p.from) &&
	     vx6_addr_eq(&again.to, &p.to));
	free(longer);
	return 0;
}
