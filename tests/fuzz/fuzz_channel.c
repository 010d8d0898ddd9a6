/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_channel: any plaintext parses or is refused; what parses is emitted
 * again as the same bytes; and halves under any counters at any time make
 * datagrams only of what was put in, 64 waiting at most. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/channel.h"

static void again(const struct vx6_channel_msg *m, const uint8_t *p, size_t len)
{
	uint8_t out[VX6_CHANNEL_MAX];

	if (m->len > len - 2 || m->data != p + 2)
		abort();
	if (vx6_channel_emit(out, len, (enum vx6_channel_type)m->type, m->data,
			     m->len) != VX6_OK ||
	    memcmp(out, p, len) != 0)
		abort();
}

static void join(struct vx6_joiner *j, const uint8_t *data, size_t len)
{
	uint64_t now = 0;

	vx6_joiner_init(j);
	while (len >= 6) {
		struct vx6_channel_msg m;
		const uint8_t *dgram;
		size_t n = 2 + vx6_get16(data + 4) % 40u, got;

		if (n > len - 4)
			n = len - 4;
		now += (uint64_t)data[0] * VX6_MS;
		uint64_t ctr = data[1] + (data[2] == 255 ? UINT64_MAX - 9 : 0);
		if (vx6_channel_parse(&m, data + 4, n) == VX6_OK) {
			enum vx6_status st = vx6_joiner_put(j, &m, ctr, now,
							    &dgram, &got);

			if ((st != VX6_OK && dgram != NULL) ||
			    (dgram != NULL &&
			     (got < m.len || got > VX6_DATAGRAM_MAX)) ||
			    vx6_joiner_waiting(j, now) > VX6_HALVES_MAX)
				abort();
		}
		data += 4 + n;
		len -= 4 + n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct vx6_joiner j;
	struct vx6_channel_msg m;

	if (vx6_channel_parse(&m, data, len) == VX6_OK)
		again(&m, data, len);
	join(&j, data, len);
	if (len >= 3) {
		unsigned u = vx6_get16(data), n = data[2] % 12u;
		size_t d = vx6_channel_d_end(u, n);

		if (d > VX6_DATAGRAM_MAX || vx6_channel_d_spliced(u, n) > d)
			abort();
	}
	return 0;
}
