/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/linknet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "dataplane/base/bytes.h"

struct linknet linknet;

struct vx6_addr linknet_addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

struct vx6_link_setup linknet_setup(bool opener)
{
	struct vx6_link_setup s = { .index = opener ? 0xa1u : 0xb2u,
				    .peer_index = opener ? 0xb2u : 0xa1u,
				    .u = 1452 };
	uint8_t prk[32];

	memset(prk, 7, sizeof(prk));
	vx6_link_derive(&s.keys, prk, opener);
	s.peer = linknet_addr(opener ? "192.0.2.2:4243" : "[2001:db8::1]:4243");
	return s;
}

static void end_init(struct linknet_end *e, bool opener,
		     const struct vx6_link_setup *s)
{
	memset(e, 0, sizeof(*e));
	e->keys = s->keys;
	e->inside = linknet_addr(opener ? "[2001:db8::1]:4243"
					: "192.0.2.2:4243");
	assert_int_equal(vx6_link_init(&e->link, s, linknet.now), VX6_OK);
}

void linknet_init(const struct vx6_link_setup *a,
		  const struct vx6_link_setup *b)
{
	uint8_t seed[32] = { 1 };

	memset(&linknet, 0, sizeof(linknet));
	vx6_rand_seed(&linknet.rnd, seed);
	linknet.now = LINKNET_START;
	linknet.delay = 10 * VX6_MS;
	linknet.largest = VX6_CELL_MAX;
	end_init(&linknet.a, true, a);
	end_init(&linknet.b, false, b);
}

void linknet_plain(void)
{
	struct vx6_link_setup a = linknet_setup(true), b = linknet_setup(false);

	linknet_init(&a, &b);
}

void linknet_put(const struct linknet_packet *p)
{
	assert_true(linknet.queued < LINKNET_QUEUE);
	linknet.queue[linknet.queued++] = *p;
}

void linknet_note(struct linknet_end *e, const struct vx6_link_out *out)
{
	if (out->events != 0)
		e->last_event = linknet.now;
	e->up += (out->events & VX6_LINK_EV_UP) != 0;
	e->down += (out->events & VX6_LINK_EV_DOWN) != 0;
	e->moved += (out->events & VX6_LINK_EV_MOVED) != 0;
	e->size += (out->events & VX6_LINK_EV_SIZE) != 0;
	assert_true(out->n <= 2);
	for (unsigned i = 0; i < out->n; i++) {
		struct linknet_packet p = { .at = linknet.now + linknet.delay,
					    .from = e->inside,
					    .to = out->pkt[i].to,
					    .len = out->pkt[i].len };

		assert_in_range(p.len, VX6_PROBE_MIN, VX6_CELL_MAX);
		e->sent++;
		memcpy(p.data, out->pkt[i].data, p.len);
		if (linknet.cut || p.len > linknet.largest ||
		    vx6_rand_below(&linknet.rnd, 100) < linknet.loss_percent)
			continue;
		if (linknet.tap != NULL && !linknet.tap(&linknet, &p))
			continue;
		linknet_put(&p);
		if (linknet.twice)
			linknet_put(&p);
	}
}

/* What arrives, arrives at a socket: header first, as a worker does it. */
enum vx6_status linknet_arrive(struct linknet_end *e,
			       const struct linknet_packet *p,
			       struct vx6_link_out *out)
{
	uint8_t buf[VX6_CELL_MAX];
	enum vx6_status st;
	uint32_t index;

	memcpy(buf, p->data, p->len);
	out->n = 0;
	out->events = 0;
	st = vx6_cell_link(buf, p->len, &index);
	if (st != VX6_OK)
		return st;
	if (index != e->link.index)
		return VX6_NO_LINK;
	vx6_cell_unprotect(&e->link.hp_rx, buf);
	return vx6_link_probe(&e->link, buf, p->len, &p->from, linknet.now,
			      &linknet.rnd, out);
}

enum vx6_status linknet_deliver(struct linknet_end *e,
				const struct linknet_packet *p)
{
	struct vx6_link_out out;
	enum vx6_status st = linknet_arrive(e, p, &out);

	e->received++;
	e->refused[st]++;
	linknet_note(e, &out);
	return st;
}

static void step_queue(void)
{
	for (unsigned i = 0; i < linknet.queued; i++) {
		struct linknet_packet p = linknet.queue[i];
		struct linknet_end *e = vx6_addr_eq(&p.to, &linknet.a.inside)
						? &linknet.a
					: vx6_addr_eq(&p.to, &linknet.b.inside)
						? &linknet.b
						: NULL;

		if (p.at > linknet.now)
			continue;
		linknet.queued--;
		memmove(&linknet.queue[i], &linknet.queue[i + 1],
			(linknet.queued - i) * sizeof(p));
		if (e != NULL)
			linknet_deliver(e, &p);
		i = UINT32_MAX; /* the queue has changed: from the start */
	}
}

void linknet_tick(struct linknet_end *e)
{
	struct vx6_link_out out;

	vx6_link_tick(&e->link, linknet.now, &linknet.rnd, &out);
	linknet_note(e, &out);
}

static uint64_t next_event(void)
{
	uint64_t at = vx6_link_due(&linknet.a.link);
	uint64_t b = vx6_link_due(&linknet.b.link);

	at = b < at ? b : at;
	for (unsigned i = 0; i < linknet.queued; i++)
		if (linknet.queue[i].at < at)
			at = linknet.queue[i].at;
	return at;
}

/* Runs the world for `ns` more, from event to event. */
void linknet_run(uint64_t ns)
{
	uint64_t end = linknet.now + ns, spins = 0;

	for (;;) {
		uint64_t at = next_event();

		if (at > end)
			break;
		/* a link that asks to be called and does nothing hangs us */
		spins = at <= linknet.now ? spins + 1 : 0;
		assert_true(spins < 100);
		linknet.now = at > linknet.now ? at : linknet.now;
		step_queue();
		if (linknet.now >= vx6_link_due(&linknet.a.link))
			linknet_tick(&linknet.a);
		if (linknet.now >= vx6_link_due(&linknet.b.link))
			linknet_tick(&linknet.b);
	}
	linknet.now = end;
}

/* ---- a second reading of section 6, with libsodium's own calls ---- */

void linknet_forge_raw(struct linknet_packet *p, const struct linknet_end *to,
		       uint64_t ctr, const uint8_t *text, size_t text_len,
		       unsigned kind)
{
	uint8_t nonce[12] = { 0 };
	struct vx6_aes hp;
	size_t len = text_len + 16;

	memset(p, 0, sizeof(*p));
	p->len = (uint16_t)(16 + len);
	p->from = to->link.addr;
	p->data[0] = 1;
	vx6_put24(p->data + 1, to->link.index);
	vx6_put48(p->data + 8, ctr);
	vx6_put16(p->data + 14, (uint16_t)(kind << 12 | len));
	vx6_put48(nonce + 6, ctr);
	crypto_aead_chacha20poly1305_ietf_encrypt(
		p->data + 16, NULL, text, text_len, p->data + 8, 8, NULL, nonce,
		to->keys.probe_rx);
	vx6_aes_init(&hp, to->keys.hdr_rx, 16);
	vx6_aes_encrypt(&hp, p->data + 4, p->data + 4);
}

size_t linknet_text_put(uint8_t *out, const struct linknet_text *t)
{
	out[0] = t->op;
	out[1] = t->zero;
	vx6_put16(out + 2, t->u);
	vx6_put64(out + 4, t->token);
	vx6_put64(out + 12, t->clock);
	memcpy(out + 20, t->seen.ip, 16);
	vx6_put16(out + 36, t->seen.port);
	return 38;
}

void linknet_forge(struct linknet_packet *p, const struct linknet_end *to,
		   uint64_t ctr, uint8_t op, uint64_t token)
{
	struct linknet_text t = { .op = op, .u = 1452, .token = token };
	uint8_t text[38];
	size_t len = linknet_text_put(text, &t);

	linknet_forge_raw(p, to, ctr, text, len, 4);
}

void linknet_reveal(const struct linknet_end *from,
		    const struct linknet_packet *p, struct linknet_text *t,
		    uint64_t *ctr)
{
	uint8_t buf[VX6_CELL_MAX], text[VX6_CELL_MAX], nonce[12] = { 0 };
	unsigned long long len;
	struct vx6_aes hp;

	memcpy(buf, p->data, p->len);
	vx6_aes_init(&hp, from->keys.hdr_tx, 16);
	vx6_aes_decrypt(&hp, buf + 4, buf + 4);
	assert_int_equal(buf[0], 1);
	assert_int_equal(vx6_get24(buf + 1), from->link.peer_index);
	assert_int_equal(vx6_get32(buf + 4), 0);
	assert_int_equal(buf[14] >> 4, 4);
	assert_int_equal(vx6_get16(buf + 14) & 0xfff, p->len - 16);
	*ctr = vx6_get48(buf + 8);
	memcpy(nonce + 6, buf + 8, 6);
	assert_int_equal(crypto_aead_chacha20poly1305_ietf_decrypt(
				 text, &len, NULL, buf + 16, p->len - 16u,
				 buf + 8, 8, nonce, from->keys.probe_tx),
			 0);
	*t = (struct linknet_text){ .op = text[0],
				    .zero = text[1],
				    .u = vx6_get16(text + 2),
				    .token = vx6_get64(text + 4),
				    .clock = vx6_get64(text + 12),
				    .seen.port = vx6_get16(text + 36) };
	memcpy(t->seen.ip, text + 20, 16);
	for (size_t i = 38; i < len; i++)
		assert_int_equal(text[i], 0);
}

int linknet_start(void **state)
{
	(void)state;
	return sodium_init() >= 0 && vx6_aead_start() == VX6_OK ? 0 : -1;
}
