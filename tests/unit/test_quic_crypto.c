/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic_crypto: packet protection against RFC 9001 appendix A, and the parts
 * that a connection stands on: certificates, tokens, the table of
 * connection ids, send buffers, the watch over a peer's connection ids.
 *
 * Vectors: RFC 9001 appendix A.1 to A.5, digit by digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/cert.h"
#include "controlplane/session/cids.h"
#include "controlplane/session/frames.h"
#include "controlplane/session/protect.h"
#include "controlplane/session/sendbuf.h"
#include "controlplane/session/token.h"
#include "dataplane/base/clock.h"
#include "tests/support/pair.h"
#include "tests/support/unhex.h"

static void assert_hex(const void *got, const char *hex)
{
	uint8_t want[1500];
	size_t n = unhex(hex, want, sizeof(want));

	assert_memory_equal(got, want, n);
}

static int start(void **state)
{
	(void)state;
	return vx6_aead_start() == VX6_OK ? 0 : -1;
}

/* ---- RFC 9001 appendix A ---- */

static const uint8_t dcid[8] = {
	0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08
};

static void derive(const uint8_t *secret, const struct quic_suite *suite,
		   const char *key, const char *iv, const char *hp)
{
	uint8_t out[32];

	assert_true(
		quic_expand(suite, secret, "quic key", out, suite->key_len));
	assert_hex(out, key);
	assert_true(quic_expand(suite, secret, "quic iv", out, 12));
	assert_hex(out, iv);
	assert_true(quic_expand(suite, secret, "quic hp", out, suite->key_len));
	assert_hex(out, hp);
}

static void initial_keys(void **state)
{
	uint8_t client[32], server[32];

	(void)state;
	assert_true(quic_initial_secrets(dcid, sizeof(dcid), client, server));
	assert_hex(client, "c00cf151ca5be075ed0ebfb5c80323c4"
			   "2d6b7db67881289af4008f1f6c357aea");
	assert_hex(server, "3c199828fd139efd216c155ad844cc81"
			   "fb82fa8d7446fa7d78be803acdda951b");
	derive(client, quic_suite_initial(), "1f369613dd76d5467730efcbe3b1a22d",
	       "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2");
	derive(server, quic_suite_initial(), "cf3a5331653c364c88f0f379b6067e37",
	       "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314");
}

struct packet {
	const char *header; /* unprotected */
	const char *text;   /* what is padded with zeros to text_len */
	size_t text_len;
	size_t pn_off, pn_len;
	uint64_t pn;
	const char *mask;
	const char *head; /* the protected packet's beginning */
	const char *tail; /* and end */
};

/* Seals as RFC 9001 section 5 says, by hand, then opens again. */
static void protect_packet(const struct packet *v, struct quic_keys *k,
			   uint8_t *out, size_t *out_len)
{
	uint8_t nonce[12], mask[5], text[1300] = { 0 }, back[1300];
	size_t h = unhex(v->header, out, 64);

	unhex(v->text, text, sizeof(text));
	memcpy(nonce, k->iv, sizeof(nonce));
	for (unsigned i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(v->pn >> 8 * i);
	assert_int_equal(quic_aead_seal(k->aead, nonce, out, h, out + h, text,
					v->text_len),
			 VX6_OK);
	assert_int_equal(quic_aead_open(k->aead, nonce, out, h, back, out + h,
					v->text_len + 16),
			 VX6_OK);
	assert_memory_equal(back, text, v->text_len);
	out[h + 3] ^= 1;
	assert_int_equal(quic_aead_open(k->aead, nonce, out, h, back, out + h,
					v->text_len + 16),
			 VX6_BAD_TAG);
	out[h + 3] ^= 1;
	quic_hp_mask(k->hp, out + v->pn_off + 4, mask);
	assert_hex(mask, v->mask);
	out[0] ^= mask[0] & (out[0] & 0x80 ? 0x0f : 0x1f);
	for (size_t i = 0; i < v->pn_len; i++)
		out[v->pn_off + i] ^= mask[1 + i];
	*out_len = h + v->text_len + 16;
}

static void check_packet(const struct packet *v, const struct quic_suite *suite,
			 const uint8_t *secret)
{
	struct quic_keys k;
	uint8_t out[1500];
	size_t len;

	assert_true(quic_keys_make(&k, suite, secret, true));
	protect_packet(v, &k, out, &len);
	assert_hex(out, v->head);
	assert_hex(out + len - strlen(v->tail) / 2, v->tail);
	quic_keys_free(&k);
}

static const struct packet client_initial = {
	.header = "c300000001088394c8f03e5157080000449e00000002",
	.text = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e8"
		"6804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b"
		"6578616d706c652e636f6dff01000100000a00080006001d00170018001000"
		"07000504616c706e000500050100000000003300260024001d00209370b2c9"
		"caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b00"
		"03020304000d0010000e0403050306030203080408050806002d0002010100"
		"1c00024001003900320408ffffffffffffffff05048000ffff07048000ffff"
		"0801100104800075300901100f088394c8f03e51570806048000ffff",
	.text_len = 1162,
	.pn_off = 18,
	.pn_len = 4,
	.pn = 2,
	.mask = "437b9aec36",
	.head = "c000000001088394c8f03e5157080000449e7b9aec34"
		"d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec356c0bab7df59"
		"76d27cd449f63300099f399",
	.tail = "e221af44860018ab0856972e194cd934",
};

static const struct packet server_initial = {
	.header = "c1000000010008f067a5502a4262b50040750001",
	.text = "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf7"
		"3988cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d"
		"3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a"
		"002b00020304",
	.text_len = 99,
	.pn_off = 18,
	.pn_len = 2,
	.pn = 1,
	.mask = "2ec0d8356a",
	.head = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac40"
		"6a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a18"
		"39b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb"
		"19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c27"
		"6456cbc42158407dd074ee",
	.tail = "6456cbc42158407dd074ee",
};

static void initial_packets(void **state)
{
	uint8_t client[32], server[32];

	(void)state;
	assert_true(quic_initial_secrets(dcid, sizeof(dcid), client, server));
	check_packet(&client_initial, quic_suite_initial(), client);
	check_packet(&server_initial, quic_suite_initial(), server);
}

static void retry_tag(void **state)
{
	static const uint8_t nonce[12] = { 0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63,
					   0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb };
	uint8_t pseudo[64] = { 8 }, tag[16];
	struct quic_aead *a = quic_retry_aead();
	size_t n;

	(void)state;
	assert_non_null(a);
	memcpy(pseudo + 1, dcid, sizeof(dcid));
	n = 9 + unhex("ff000000010008f067a5502a4262b5746f6b656e", pseudo + 9,
		      sizeof(pseudo) - 9);
	assert_int_equal(quic_aead_seal(a, nonce, pseudo, n, tag, NULL, 0),
			 VX6_OK);
	assert_hex(tag, "04a265ba2eff4d829058fb3f0f2496ba");
	quic_aead_free(a);
}

static void chacha_short_header(void **state)
{
	static const struct packet v = {
		.header = "4200bff4",
		.text = "01",
		.text_len = 1,
		.pn_off = 1,
		.pn_len = 3,
		.pn = 654360564,
		.mask = "aefefe7d03",
		.head = "4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
		.tail = "fb",
	};
	const struct quic_suite *suite = quic_suite_of(0x1303);
	uint8_t secret[32], next[32];

	(void)state;
	assert_non_null(suite);
	unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f2163"
	      "2b",
	      secret, sizeof(secret));
	derive(secret, suite,
	       "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e"
	       "1c8",
	       "e0459b3474bdd0e44a41c144",
	       "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a"
	       "7a4");
	assert_true(quic_expand(suite, secret, "quic ku", next, 32));
	assert_hex(next, "1223504755036d556342ee9361d25342"
			 "1a826c9ecdf3c7148684b36b714881f9");
	check_packet(&v, suite, secret);
}

/* A host whose fast library has no AES-128-GCM still needs it for Initial
 * packets, and gets the same bytes out of wolfCrypt. */
static void initial_packets_without_fast_aes(void **state)
{
	uint8_t client[32], server[32];

	(void)state;
	if (vx6_aead_force(VX6_IMPL_SODIUM) != VX6_OK)
		fail();
	assert_false(vx6_aead_offers(VX6_ALG_AES128_GCM));
	assert_true(quic_initial_secrets(dcid, sizeof(dcid), client, server));
	check_packet(&client_initial, quic_suite_initial(), client);
	check_packet(&server_initial, quic_suite_initial(), server);
	assert_null(quic_suite_of(0x1301));
	assert_non_null(quic_suite_of(0x1303));
	assert_null(strstr(quic_suites_text(), "AES128"));
	retry_tag(state);
	assert_int_equal(vx6_aead_start(), VX6_OK);
}

/* ... and whole connections work there too. */
static void connects_without_fast_aes(void **state)
{
	static struct pair p;

	(void)state;
	pair_open(&p, NULL, NULL, 1);
	pair_close(&p);
	assert_int_equal(vx6_aead_force(VX6_IMPL_SODIUM), VX6_OK);
	pair_open(&p, NULL, NULL, 1);
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_close(&p);
	assert_int_equal(vx6_aead_start(), VX6_OK);
}

static void suites(void **state)
{
	(void)state;
	assert_null(quic_suite_of(0));
	assert_null(quic_suite_of(0x1304)); /* CCM */
	assert_int_equal(quic_suite_of(0x1303)->key_len, 32);
	if (!vx6_aead_offers(VX6_ALG_AES128_GCM))
		return;
	assert_int_equal(quic_suite_of(0x1301)->max_seal, 1 << 23);
	assert_int_equal(quic_suite_of(0x1302)->hash_len, 48);
}

/* ---- certificates ---- */

static void certificate_carries_the_key(void **state)
{
	struct quic_identity id, other;
	struct quic_cert c;
	uint8_t key[32], node[32];

	(void)state;
	quic_identity_fresh(&id);
	quic_identity_fresh(&other);
	assert_memory_not_equal(id.seed, other.seed, 32);
	assert_int_equal(quic_cert_make(&c, &id), VX6_OK);
	assert_true(c.der_len > 150 && c.der_len < 300);
	assert_int_equal(quic_cert_key(c.der, c.der_len, key), VX6_OK);
	assert_memory_equal(key, id.public_key, 32);
	quic_node_id(key, node);
	assert_memory_not_equal(node, key, 32);

	/* halves that do not belong together */
	memcpy(other.public_key, id.public_key, 32);
	assert_int_equal(quic_cert_make(&c, &other), VX6_BAD_KEY);
}

static void broken_certificates(void **state)
{
	struct quic_identity id;
	struct quic_cert c;
	uint8_t key[32], copy[QUIC_CERT_MAX];
	unsigned kept = 0;

	(void)state;
	quic_identity_fresh(&id);
	assert_int_equal(quic_cert_make(&c, &id), VX6_OK);
	for (size_t n = 0; n < c.der_len; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		assert_non_null(exact);
		memcpy(exact, c.der, n);
		assert_int_not_equal(quic_cert_key(exact, n, key), VX6_OK);
		free(exact);
	}
	for (size_t bit = 0; bit < 8 * c.der_len; bit++) {
		memcpy(copy, c.der, c.der_len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		kept += quic_cert_key(copy, c.der_len, key) == VX6_OK &&
			memcmp(key, id.public_key, 32) == 0;
	}
	/* no flipped bit of the key leaves the key */
	assert_true(kept <= 8 * c.der_len - 256);
}

/* ---- tokens ---- */

static void retry_tokens(void **state)
{
	struct quic_identity id;
	struct quic_tokens t, u;
	struct quic_cid_bytes odcid = { 20, { 1, 2, 3, [19] = 9 } }, got;
	struct quic_cid_bytes scid = { 8, { 5, 5, 5 } }, scid2 = scid;
	struct vx6_addr from, other;
	uint8_t tok[QUIC_TOKEN_LEN];
	const uint64_t now = 50 * VX6_SEC;

	(void)state;
	quic_identity_fresh(&id);
	quic_tokens_init(&t, &id);
	quic_tokens_init(&u, &id);
	assert_int_equal(vx6_addr_parse(&from, "192.0.2.7:4242"), VX6_OK);
	quic_token_make(&t, tok, &odcid, &scid, &from, now);
	assert_int_equal(quic_token_check(&t, tok, sizeof(tok), &scid, &from,
					  now + 9 * VX6_SEC, &got),
			 VX6_OK);
	assert_int_equal(got.len, 20);
	assert_memory_equal(got.data, odcid.data, 20);

#define CHECK(tokens, s, a, when)                                              \
	quic_token_check(tokens, tok, sizeof(tok), s, a, when, &got)
	assert_int_equal(CHECK(&t, &scid, &from, now + 11 * VX6_SEC),
			 VX6_EXPIRED);
	assert_int_equal(CHECK(&t, &scid, &from, now - 1), VX6_EXPIRED);
	other = from;
	other.port++;
	assert_int_equal(CHECK(&t, &scid, &other, now), VX6_BAD_TAG);
	other = from;
	other.ip[15] ^= 1;
	assert_int_equal(CHECK(&t, &scid, &other, now), VX6_BAD_TAG);
	scid2.data[7] ^= 1;
	assert_int_equal(CHECK(&t, &scid2, &from, now), VX6_BAD_TAG);
	assert_int_equal(CHECK(&u, &scid, &from, now), VX6_BAD_TAG);
	for (size_t bit = 0; bit < 8 * sizeof(tok); bit++) {
		tok[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(CHECK(&t, &scid, &from, now), VX6_BAD_TAG);
		tok[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
#undef CHECK
	for (size_t n = 0; n < sizeof(tok); n++)
		assert_int_equal(
			quic_token_check(&t, tok, n, &scid, &from, now, &got),
			VX6_BAD_TAG);
}

/* The same node, started again, knows the reset tokens of its old
 * connections; another node does not. */
static void reset_tokens(void **state)
{
	struct quic_identity id, stranger;
	struct quic_tokens a, b, c;
	uint8_t cid[8] = { 1 }, x[16], y[16];

	(void)state;
	quic_identity_fresh(&id);
	quic_identity_fresh(&stranger);
	quic_tokens_init(&a, &id);
	quic_tokens_init(&b, &id);
	quic_tokens_init(&c, &stranger);
	quic_reset_token(&a, cid, 8, x);
	quic_reset_token(&b, cid, 8, y);
	assert_memory_equal(x, y, 16);
	quic_reset_token(&c, cid, 8, y);
	assert_memory_not_equal(x, y, 16);
	cid[7] = 1;
	quic_reset_token(&a, cid, 8, y);
	assert_memory_not_equal(x, y, 16);
}

/* ---- the table of connection ids ---- */

static void cid_table(void **state)
{
	static char conn[8];
	struct quic_cids t;
	struct quic_cid *mine[8] = { 0 };

	(void)state;
	assert_int_equal(quic_cids_init(&t, 4), VX6_OK);
	for (unsigned i = 0; i < 8; i++) {
		struct quic_conn *c = (struct quic_conn *)(void *)&conn[i];

		for (unsigned k = 0; k < QUIC_CIDS_PER_CONN; k++) {
			uint8_t id[8] = { (uint8_t)i, (uint8_t)k };

			assert_int_equal(quic_cids_add(&t, &mine[i], c,
						       QUIC_CID_ID, id, 8),
					 VX6_OK);
			assert_int_equal(quic_cids_add(&t, &mine[i], c,
						       QUIC_CID_ID, id, 8),
					 VX6_EXISTS);
		}
		uint8_t more[8] = { 99, (uint8_t)i };
		assert_int_equal(
			quic_cids_add(&t, &mine[i], c, QUIC_CID_ID, more, 8),
			VX6_NO_ROOM);
		assert_int_equal(
			quic_cids_add(&t, &mine[i], c, QUIC_CID_ID, more, 21),
			VX6_BAD_SIZE);
	}
	for (unsigned i = 0; i < 8; i++) {
		uint8_t id[16] = { (uint8_t)i, 3 };

		assert_ptr_equal(quic_cids_find(&t, QUIC_CID_ID, id, 8),
				 &conn[i]);
		/* neither another kind nor another length is the same */
		assert_null(quic_cids_find(&t, QUIC_CID_RESET, id, 8));
		assert_null(quic_cids_find(&t, QUIC_CID_ID, id, 9));
		quic_cids_drop(&t, &mine[i], QUIC_CID_ID, id, 8);
		quic_cids_drop(&t, &mine[i], QUIC_CID_ID, id, 8);
		assert_null(quic_cids_find(&t, QUIC_CID_ID, id, 8));
	}
	for (unsigned i = 0; i < 8; i++)
		quic_cids_drop_all(&t, &mine[i]);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t id[8] = { (uint8_t)i, 5 };

		assert_null(mine[i]);
		assert_null(quic_cids_find(&t, QUIC_CID_ID, id, 8));
	}
	quic_cids_free(&t);
}

/* ---- send buffers, against an array ---- */

static void send_buffer(void **state)
{
	struct quic_sendbuf b;
	uint64_t rng = 1;

	(void)state;
	quic_sendbuf_init(&b, 50000);
	for (unsigned i = 0; i < 60000; i++) {
		rng = rng * UINT64_C(6364136223846793005) +
		      1442695040888963407u;
		size_t want = (rng >> 40) % 9000;
		uint8_t data[9000];
		struct quic_span span[4];

		switch ((rng >> 33) % 3) {
		case 0: {
			size_t space = quic_sendbuf_space(&b);

			pair_fill(3, b.end, data, want);
			uint64_t end = b.end;
			size_t n = quic_sendbuf_put(&b, data, want);
			assert_int_equal(n, want < space ? want : space);
			assert_int_equal(b.end, end + n);
			break;
		}
		case 1: {
			size_t cnt = quic_sendbuf_peek(&b, span, 4);
			uint64_t at = b.sent;

			for (size_t k = 0; k < cnt; k++) {
				assert_true(pair_same(3, at, span[k].base,
						      span[k].len));
				at += span[k].len;
			}
			assert_true(cnt > 0 || b.sent == b.end);
			size_t most = (size_t)(at - b.sent);
			quic_sendbuf_sent(&b, want < most ? want : most);
			break;
		}
		default: {
			size_t fly = (size_t)(b.sent - b.acked);
			uint64_t to = b.acked + (want < fly ? want : fly);

			quic_sendbuf_acked(&b, to);
			assert_int_equal(b.acked, to);
			break;
		}
		}
		assert_true(b.end - b.acked <= 50000);
	}
	assert_true(b.acked > 1000000);
	quic_sendbuf_sent(&b, (size_t)(b.end - b.sent));
	quic_sendbuf_acked(&b, b.end);
	assert_null(b.head);
	assert_int_equal(quic_sendbuf_space(&b), 50000);
	quic_sendbuf_free(&b);
}

/* ---- the watch over connection ids ---- */

static struct quic_stops stops;

static size_t put_new_id(uint8_t *f, uint8_t seq)
{
	memset(f, 0, 28);
	f[0] = 0x18;
	f[1] = seq;
	f[3] = 8;
	return 28;
}

static bool new_id(struct quic_cidwatch *w, uint8_t seq)
{
	uint8_t f[28];
	size_t len = put_new_id(f, seq);

	return quic_frames_in(w, &stops, f, len);
}

static void retire(struct quic_cidwatch *w, uint8_t seq, uint8_t pkt)
{
	/* PADDING, ACK of one packet, then the frame, then a stream */
	const uint8_t f[] = { 0,   0x02, 3,    0,    0,   0,  0x19,
			      seq, 0x0a, 0x04, 0x02, 'h', 'i' };

	quic_frames_out(w, pkt, f, sizeof(f));
}

static bool ack(struct quic_cidwatch *w, uint8_t pkt)
{
	const uint8_t f[] = { 0x01, 0x02, pkt, 0, 0, 0, 0x08, 0x04, 'x' };

	return quic_frames_in(w, &stops, f, sizeof(f));
}

static void honest_peers_pass(void **state)
{
	struct quic_cidwatch w = { 0 };

	(void)state;
	for (uint8_t seq = 1; seq < 8; seq++)
		assert_true(new_id(&w, seq));
	/* two thousand moves, each acknowledged, each replaced */
	for (unsigned i = 0; i < 50; i++) {
		uint8_t seq = (uint8_t)i;

		retire(&w, seq, (uint8_t)(i + 1));
		assert_true(ack(&w, (uint8_t)(i + 1)));
		assert_true(new_id(&w, (uint8_t)(8 + i)));
	}
	assert_int_equal(w.retired, 50);
}

/* Takes the retirements, sends new ids, acknowledges nothing. */
static void hoarders_do_not(void **state)
{
	struct quic_cidwatch w = { 0 };
	unsigned seq = 1;

	(void)state;
	while (new_id(&w, (uint8_t)seq)) {
		retire(&w, (uint8_t)(seq - 1), (uint8_t)seq);
		seq++;
		assert_true(seq < 64);
	}
	/* 16 is what ngtcp2 has room for, and 15 is what it may have */
	assert_int_equal(seq, 16);
	/* acknowledging other packets does not help */
	assert_false(ack(&w, 63));
	/* a retirement counts once, however often it was said */
	struct quic_cidwatch v = { 0 };
	for (seq = 1; seq < 16; seq++)
		assert_true(new_id(&v, (uint8_t)seq));
	retire(&v, 0, 20);
	retire(&v, 0, 21);
	assert_true(ack(&v, 20));
	retire(&v, 0, 22);
	assert_true(ack(&v, 21));
	assert_true(ack(&v, 22));
	assert_int_equal(v.retired, 1);
	assert_true(new_id(&v, 16));
	assert_false(new_id(&v, 17));
}

/* Ranges of an ACK, and frames of every kind before the one that counts. */
static void watch_reads_frames(void **state)
{
	static const char *const before[] = {
		"00",
		"01",
		"020000000000",
		"0405060708",
		"050102",
		"06000401020304",
		"0703aabbcc",
		"0a000401020304",
		"0f0040050401020304",
		"1041ff",
		"110203",
		"1240ff",
		"1301",
		"1405",
		"150203",
		"1605",
		"1705",
		"1a0102030405060708",
		"1b0102030405060708",
		"1e",
		"3103aabbcc",
	};
	(void)state;
	for (size_t i = 0; i < VX6_COUNT(before); i++) {
		struct quic_cidwatch w = { 0 };
		uint8_t f[64];
		size_t n = unhex(before[i], f, sizeof(f));

		if (i == 3) /* RESET_STREAM has three integers */
			n--;
		n += put_new_id(f + n, 9);
		assert_true(quic_frames_in(&w, &stops, f, n));
		assert_int_equal(w.issued, 9);
		/* cut short anywhere it is read no further, and no worse */
		for (size_t cut = 0; cut < n; cut++) {
			struct quic_cidwatch x = { 0 };
			uint8_t *exact = malloc(cut ? cut : 1);

			assert_non_null(exact);
			memcpy(exact, f, cut);
			assert_true(quic_frames_in(&x, &stops, exact, cut));
			quic_frames_out(&x, 1, exact, cut);
			free(exact);
		}
	}
	struct quic_cidwatch w = { 0 };
	for (uint8_t seq = 1; seq < 12; seq++)
		assert_true(new_id(&w, seq));
	for (uint8_t seq = 0; seq < 10; seq++)
		retire(&w, seq, (uint8_t)(10 + seq));
	/* largest 19; 19..18, a gap of 2, 14..12, with ECN counts */
	const uint8_t f[] = { 0x03, 19, 0, 1, 1, 2, 2, 1, 2, 3 };
	assert_true(quic_frames_in(&w, &stops, f, sizeof(f)));
	assert_int_equal(w.retired, 5);
	assert_int_equal(w.sent_cnt, 5);
}

static void stops_are_noted(void **state)
{
	struct quic_cidwatch w = { 0 };
	const uint8_t f[] = { 0x01, 0x05, 0x08, 0x40, 0x99, 0x05, 0x0c, 0x07 };
	uint8_t many[2 * QUIC_STOPS * 3];

	(void)state;
	stops.cnt = 0;
	assert_true(quic_frames_in(&w, &stops, f, sizeof(f)));
	assert_int_equal(stops.cnt, 2);
	assert_int_equal(stops.of[0].id, 8);
	assert_int_equal(stops.of[0].code, 0x99);
	assert_int_equal(stops.of[1].id, 12);
	assert_int_equal(stops.of[1].code, 7);
	stops.cnt = 0; /* cut short: the whole one only */
	assert_true(quic_frames_in(&w, &stops, f, sizeof(f) - 1));
	assert_int_equal(stops.cnt, 1);
	for (size_t i = 0; i < sizeof(many); i += 3) {
		many[i] = 5;
		many[i + 1] = 4;
		many[i + 2] = 0;
	}
	stops.cnt = 0;
	assert_true(quic_frames_in(&w, &stops, many, sizeof(many)));
	assert_int_equal(stops.cnt, QUIC_STOPS);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(initial_keys),
		cmocka_unit_test(initial_packets),
		cmocka_unit_test(retry_tag),
		cmocka_unit_test(chacha_short_header),
		cmocka_unit_test(initial_packets_without_fast_aes),
		cmocka_unit_test(connects_without_fast_aes),
		cmocka_unit_test(suites),
		cmocka_unit_test(certificate_carries_the_key),
		cmocka_unit_test(broken_certificates),
		cmocka_unit_test(retry_tokens),
		cmocka_unit_test(reset_tokens),
		cmocka_unit_test(cid_table),
		cmocka_unit_test(send_buffer),
		cmocka_unit_test(honest_peers_pass),
		cmocka_unit_test(hoarders_do_not),
		cmocka_unit_test(watch_reads_frames),
		cmocka_unit_test(stops_are_noted),
	};

	return cmocka_run_group_tests_name("quic_crypto", test, start, NULL);
}
