/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/session/frames.h"

#include <string.h>

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

/* RFC 9000 section 16 */
static uint64_t varint(struct reader *r)
{
	uint64_t v;
	size_t n;

	if (r->bad || r->at == r->end) {
		r->bad = true;
		return 0;
	}
	n = (size_t)1 << (*r->at >> 6);
	if ((size_t)(r->end - r->at) < n) {
		r->bad = true;
		return 0;
	}
	v = *r->at++ & 0x3fu;
	while (--n > 0)
		v = v << 8 | *r->at++;
	return v;
}

static void skip(struct reader *r, uint64_t len)
{
	if (r->bad || len > (uint64_t)(r->end - r->at))
		r->bad = true;
	else
		r->at += len;
}

static void varints(struct reader *r, unsigned cnt)
{
	while (cnt-- > 0)
		varint(r);
}

static void skip_stream(struct reader *r, uint64_t type)
{
	varint(r);
	if (type & 4)
		varint(r);
	if (type & 2)
		skip(r, varint(r));
	else
		r->at = r->end;
}

/* A retirement that was said more than once is one retirement. */
static void forget(struct quic_cidwatch *w, uint64_t seq)
{
	unsigned keep = 0;

	for (unsigned i = 0; i < w->sent_cnt; i++) {
		if (w->sent[i].seq != seq)
			w->sent[keep++] = w->sent[i];
	}
	w->sent_cnt = keep;
	w->acked[w->acked_cnt++ % QUIC_CIDS_SENT] = seq;
	w->retired++;
}

/* ngtcp2 may say a retirement again after it was acknowledged, when it had
 * taken the first for lost. */
static bool is_acked(const struct quic_cidwatch *w, uint64_t seq)
{
	for (uint64_t i = 0; i < w->acked_cnt && i < QUIC_CIDS_SENT; i++) {
		if (w->acked[i] == seq)
			return true;
	}
	return false;
}

static void acked(struct quic_cidwatch *w, uint64_t low, uint64_t high)
{
	for (unsigned i = 0; i < w->sent_cnt;) {
		if (w->sent[i].pkt < low || w->sent[i].pkt > high) {
			i++;
			continue;
		}
		forget(w, w->sent[i].seq);
		i = 0;
	}
}

/* RFC 9000 section 19.3 */
static void read_ack(struct quic_cidwatch *w, struct reader *r, bool ecn)
{
	uint64_t high = varint(r);
	uint64_t cnt = (varint(r), varint(r));
	uint64_t len = varint(r);

	for (;;) {
		if (r->bad || len > high)
			break;
		if (w)
			acked(w, high - len, high);
		uint64_t low = high - len;
		if (cnt-- == 0)
			break;
		uint64_t gap = varint(r);
		len = varint(r);
		if (low < gap + 2) {
			r->bad = true;
			break;
		}
		high = low - gap - 2;
	}
	if (ecn)
		varints(r, 3);
}

/* What has nothing to say here.  True: r stands behind the frame. */
static bool skip_frame(struct reader *r, uint64_t type)
{
	switch (type) {
	case 0x00:
	case 0x01:
	case 0x1e: break; /* PADDING, PING, HANDSHAKE_DONE */
	case 0x04: varints(r, 3); break;
	case 0x11:
	case 0x15: varints(r, 2); break;
	case 0x06:
		varint(r);
		skip(r, varint(r));
		break;
	case 0x07: skip(r, varint(r)); break;
	case 0x10:
	case 0x12:
	case 0x13:
	case 0x14:
	case 0x16:
	case 0x17: varint(r); break;
	case 0x1a:
	case 0x1b: skip(r, 8); break;
	case 0x30: r->at = r->end; break;
	case 0x31: skip(r, varint(r)); break;
	default:
		if (type < 0x08 || type > 0x0f)
			return false;
		skip_stream(r, type);
		break;
	}
	return !r->bad;
}

static uint64_t read_new_id(struct reader *r)
{
	uint64_t seq = varint(r);

	varint(r);
	if (r->at < r->end)
		skip(r, 1u + (uint64_t)*r->at);
	else
		r->bad = true;
	skip(r, 16);
	return seq;
}

static void read_stop(struct quic_stops *stops, struct reader *r)
{
	uint64_t id = varint(r);
	uint64_t code = varint(r);

	if (r->bad || !stops || stops->cnt == QUIC_STOPS)
		return;
	stops->of[stops->cnt].id = (int64_t)id;
	stops->of[stops->cnt++].code = code;
}

static void note_sent(struct quic_cidwatch *w, uint64_t pkt, uint64_t seq)
{
	if (is_acked(w, seq))
		return;
	/* Full: the oldest is forgotten, its retirement never counted.  The
	 * error is on the safe side. */
	if (w->sent_cnt == QUIC_CIDS_SENT) {
		memmove(&w->sent[0], &w->sent[1],
			(QUIC_CIDS_SENT - 1) * sizeof(w->sent[0]));
		w->sent_cnt--;
	}
	w->sent[w->sent_cnt].pkt = pkt;
	w->sent[w->sent_cnt++].seq = seq;
}

void quic_frames_out(struct quic_cidwatch *w, uint64_t pkt,
		     const uint8_t *frames, size_t len)
{
	struct reader r = { frames, frames + len, false };

	while (r.at < r.end && !r.bad) {
		uint64_t type = varint(&r);

		if (type == 0x19) {
			uint64_t seq = varint(&r);

			if (!r.bad)
				note_sent(w, pkt, seq);
		} else if (type == 0x18) {
			read_new_id(&r);
		} else if (type == 0x02 || type == 0x03) {
			read_ack(NULL, &r, type == 0x03);
		} else if (type == 0x05) {
			read_stop(NULL, &r);
		} else if (!skip_frame(&r, type)) {
			return;
		}
	}
}

bool quic_frames_in(struct quic_cidwatch *w, struct quic_stops *stops,
		    const uint8_t *frames, size_t len)
{
	struct reader r = { frames, frames + len, false };

	while (r.at < r.end && !r.bad) {
		uint64_t type = varint(&r);

		if (type == 0x02 || type == 0x03) {
			read_ack(w, &r, type == 0x03);
		} else if (type == 0x18) {
			uint64_t seq = read_new_id(&r);

			if (!r.bad && seq > w->issued)
				w->issued = seq;
		} else if (type == 0x19) {
			varint(&r);
		} else if (type == 0x05) {
			read_stop(stops, &r);
		} else if (!skip_frame(&r, type)) {
			break;
		}
	}
	return w->issued <= w->retired + QUIC_CIDS_OWED;
}
