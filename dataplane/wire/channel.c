/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/channel.h"

#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/zero.h"

#define TOKEN_LEN 4u

_Static_assert(VX6_CHANNEL_MAX == VX6_CELL_MAX - VX6_CELL_HDR - 16u,
	       "one layer's plaintext in the longest cell");
_Static_assert(VX6_DATAGRAM_MAX == VX6_CHANNEL_MAX - VX6_CHANNEL_HDR,
	       "the longest datagram fills it");

/* ---- sizes ---- */

static size_t d_less(unsigned u, unsigned n, size_t fixed)
{
	size_t size = u > VX6_CELL_MAX ? VX6_CELL_MAX : u;

	if (n < 1 || n > VX6_HOPS_MAX || size <= fixed + VX6_LAYER_LEN * n)
		return 0;
	return size - fixed - VX6_LAYER_LEN * n;
}

/* header 16, 24 a layer but for the terminal's own 16 of tag, type 2 */
size_t vx6_channel_d_end(unsigned u, unsigned n)
{
	return d_less(u, n, 10);
}

/* header 16, 24 a layer, type 2 and the end-to-end layer's tag 16 */
size_t vx6_channel_d_spliced(unsigned u, unsigned n)
{
	return d_less(u, n, 34);
}

unsigned vx6_channel_cells(size_t len, size_t d)
{
	if (len == 0 || len > VX6_DATAGRAM_MAX)
		return 0;
	if (len <= d)
		return 1;
	return len - len / 2 <= d ? 2 : 0;
}

/* ---- plaintext ---- */

static bool len_fits(unsigned type, size_t len)
{
	switch ((enum vx6_channel_type)type) {
	case VX6_CHANNEL_COVER: return true;
	case VX6_CHANNEL_DATAGRAM:
	case VX6_CHANNEL_CONTROL: return len > 0;
	case VX6_CHANNEL_FIRST:
	case VX6_CHANNEL_SECOND: return len > 0 && len <= VX6_HALF_MAX;
	case VX6_CHANNEL_PING:
	case VX6_CHANNEL_PONG: return len == TOKEN_LEN;
	case VX6_CHANNEL_TYPE_CNT: break;
	}
	return false;
}

enum vx6_status vx6_channel_parse(struct vx6_channel_msg *m, const uint8_t *p,
				  size_t len)
{
	struct vx6_channel_msg got = { 0 };

	if (len > VX6_CHANNEL_MAX)
		return VX6_BAD_SIZE;
	if (len < VX6_CHANNEL_HDR)
		return VX6_TRUNCATED;
	got.type = p[0] >> 4;
	got.len = vx6_get16(p) & 0xfffu;
	got.data = p + VX6_CHANNEL_HDR;
	if (got.type >= VX6_CHANNEL_TYPE_CNT)
		return VX6_BAD_KIND;
	if (got.len > len - VX6_CHANNEL_HDR)
		return VX6_TRUNCATED;
	if (!len_fits(got.type, got.len))
		return VX6_BAD_SIZE;
	if (!vx6_all_zero(got.data + got.len, len - VX6_CHANNEL_HDR - got.len))
		return VX6_MALFORMED;
	if (got.type == VX6_CHANNEL_PING || got.type == VX6_CHANNEL_PONG)
		got.token = vx6_get32(got.data);
	*m = got;
	return VX6_OK;
}

enum vx6_status vx6_channel_emit(uint8_t *p, size_t size,
				 enum vx6_channel_type type,
				 const uint8_t *data, size_t len)
{
	if (size > VX6_CHANNEL_MAX || size < VX6_CHANNEL_HDR ||
	    len > size - VX6_CHANNEL_HDR || !len_fits(type, len))
		return VX6_BAD_SIZE;
	if (len > 0 && data != p + VX6_CHANNEL_HDR)
		memmove(p + VX6_CHANNEL_HDR, data, len);
	vx6_put16(p, (uint16_t)((unsigned)type << 12 | len));
	memset(p + VX6_CHANNEL_HDR + len, 0, size - VX6_CHANNEL_HDR - len);
	return VX6_OK;
}

enum vx6_status vx6_channel_emit_token(uint8_t *p, size_t size,
				       enum vx6_channel_type type,
				       uint32_t token)
{
	uint8_t data[TOKEN_LEN];

	if (type != VX6_CHANNEL_PING && type != VX6_CHANNEL_PONG)
		return VX6_BAD_KIND;
	vx6_put32(data, token);
	return vx6_channel_emit(p, size, type, data, sizeof(data));
}

/* ---- halves ---- */

enum vx6_status vx6_channel_emit_half(uint8_t *p, size_t size,
				      const uint8_t *dgram, size_t len,
				      bool second)
{
	size_t first = len - len / 2;

	if (len < 2 || len > VX6_DATAGRAM_MAX)
		return VX6_BAD_SIZE;
	if (second)
		return vx6_channel_emit(p, size, VX6_CHANNEL_SECOND,
					dgram + first, len - first);
	return vx6_channel_emit(p, size, VX6_CHANNEL_FIRST, dgram, first);
}

void vx6_joiner_init(struct vx6_joiner *j)
{
	memset(j, 0, sizeof(*j));
	for (unsigned i = 0; i < VX6_HALVES_MAX; i++)
		j->ctr[i] = VX6_HALF_NONE;
}

static bool too_old(const struct vx6_joiner *j, unsigned i, uint64_t now)
{
	return now > j->since_ns[i] && now - j->since_ns[i] > VX6_HALF_NS;
}

static void forget_old(struct vx6_joiner *j, uint64_t now)
{
	for (unsigned i = 0; i < VX6_HALVES_MAX; i++)
		if (j->ctr[i] != VX6_HALF_NONE && too_old(j, i, now)) {
			j->ctr[i] = VX6_HALF_NONE;
			j->late++;
		}
}

static unsigned find(const struct vx6_joiner *j, uint64_t ctr)
{
	unsigned i = 0;

	while (i < VX6_HALVES_MAX && j->ctr[i] != ctr)
		i++;
	return i;
}

static unsigned oldest(const struct vx6_joiner *j)
{
	unsigned old = 0;

	for (unsigned i = 1; i < VX6_HALVES_MAX; i++)
		if (j->since_ns[i] < j->since_ns[old] ||
		    (j->since_ns[i] == j->since_ns[old] &&
		     j->ctr[i] < j->ctr[old]))
			old = i;
	return old;
}

static void keep(struct vx6_joiner *j, const struct vx6_channel_msg *m,
		 uint64_t ctr, uint64_t now)
{
	unsigned i = find(j, VX6_HALF_NONE);

	if (i == VX6_HALVES_MAX) {
		i = oldest(j);
		j->pushed++;
	}
	j->ctr[i] = ctr;
	j->since_ns[i] = now;
	j->len[i] = m->len;
	j->type[i] = m->type;
	memcpy(j->data[i], m->data, m->len);
}

/* Halves of one datagram: first = ceil(len / 2). */
static bool halves_fit(size_t first, size_t second)
{
	return (first == second || first == second + 1) &&
	       first + second <= VX6_DATAGRAM_MAX;
}

static enum vx6_status join(struct vx6_joiner *j,
			    const struct vx6_channel_msg *m, unsigned i,
			    const uint8_t **dgram, size_t *len)
{
	bool second = m->type == VX6_CHANNEL_SECOND;
	size_t kept = j->len[i];

	j->ctr[i] = VX6_HALF_NONE;
	if (second) {
		if (j->type[i] != VX6_CHANNEL_FIRST ||
		    !halves_fit(kept, m->len))
			return VX6_MALFORMED;
		memcpy(j->joined, j->data[i], kept);
		memcpy(j->joined + kept, m->data, m->len);
	} else {
		if (j->type[i] != VX6_CHANNEL_SECOND ||
		    !halves_fit(m->len, kept))
			return VX6_MALFORMED;
		memcpy(j->joined, m->data, m->len);
		memcpy(j->joined + m->len, j->data[i], kept);
	}
	*dgram = j->joined;
	*len = kept + m->len;
	return VX6_OK;
}

enum vx6_status vx6_joiner_put(struct vx6_joiner *j,
			       const struct vx6_channel_msg *m, uint64_t ctr,
			       uint64_t now_ns, const uint8_t **dgram,
			       size_t *len)
{
	bool second = m->type == VX6_CHANNEL_SECOND;
	uint64_t other;
	unsigned i;

	*dgram = NULL;
	*len = 0;
	if (!second && m->type != VX6_CHANNEL_FIRST)
		return VX6_BAD_KIND;
	if (m->len == 0 || m->len > VX6_HALF_MAX)
		return VX6_BAD_SIZE;
	forget_old(j, now_ns);
	if (ctr == VX6_HALF_NONE || find(j, ctr) < VX6_HALVES_MAX)
		return VX6_REPLAYED;
	other = second ? ctr - 1 : ctr + 1;
	if (other != VX6_HALF_NONE) {
		i = find(j, other);
		if (i < VX6_HALVES_MAX)
			return join(j, m, i, dgram, len);
	}
	keep(j, m, ctr, now_ns);
	return VX6_OK;
}

unsigned vx6_joiner_waiting(const struct vx6_joiner *j, uint64_t now_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VX6_HALVES_MAX; i++)
		n += j->ctr[i] != VX6_HALF_NONE && !too_old(j, i, now_ns);
	return n;
}
