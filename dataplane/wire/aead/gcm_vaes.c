/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A register holds four blocks of one message.
 *
 *     nonce, counter --AES--> key stream --xor--> text
 *     AD | C | lengths --GHASH--> --xor-- E(J0) --> tag
 *
 * The AES unit takes one register a cycle and is the bound; all else goes
 * beside it.  So four registers pass through the rounds together, and between
 * the rounds another four, of text that is sealed already, are hashed.
 *
 * GHASH, lane by lane, over registers x0 .. xn with one reduction for four:
 *
 *     y = (y ^ x0) H^16 ^ x1 H^12 ^ x2 H^8 ^ x3 H^4        (all lanes alike)
 *
 * and in the end, where the lanes have to meet, over the last four
 *
 *     y = (y ^ x0) H^e.. ^ x1 H^(e-4).. ^ x2 H^(e-8).. ^ x3 H^(e-12)..
 *
 * H^e.. being H^e, H^(e-1), H^(e-2), H^(e-3), a window on the table.  The
 * last register holds 0 to 3 blocks of text, and the lengths behind them;
 * e follows.  Its lanes behind the lengths are times 0.  What is over at the
 * front, 0 to 3 registers, is done first, behind a register whose last lane
 * is AD.
 *
 * The block of counter 1, J0, takes the place in AES that the lengths have in
 * GHASH, so it costs nothing. */
#include "dataplane/wire/aead/gcm.h"

#define GCM  VX6_GCM_TARGET static VX6_INLINE
#define xor  _mm512_xor_si512
#define XOR3 0x96 /* of _mm512_ternarylogic_epi64 */
#define WIDE 64u  /* bytes of a register */

/* Counters of the blocks, in the big-endian last byte: 254 would be the last
 * that need no carry. */
#define BLOCK(n) 0, 0, 0, (uint32_t)(n) << 24
#define ROW(n)   { BLOCK(n), BLOCK(n + 1), BLOCK(n + 2), BLOCK(n + 3) }
#define ROWS     24u

static const VX6_ALIGNED(64) uint32_t counter[ROWS][16] = {
	ROW(2),  ROW(6),  ROW(10), ROW(14), ROW(18), ROW(22), ROW(26), ROW(30),
	ROW(34), ROW(38), ROW(42), ROW(46), ROW(50), ROW(54), ROW(58), ROW(62),
	ROW(66), ROW(70), ROW(74), ROW(78), ROW(82), ROW(86), ROW(90), ROW(94)
};

_Static_assert(VX6_GCM_MAX < ROWS * WIDE, "and one block for J0");

struct run {
	const struct vx6_gcm_key *key;
	__m512i base;      /* nonce, under the first round key */
	__m512i y;         /* GHASH, reduced in each lane */
	__m512i even, odd; /* sums of bytes, of 16-bit words' halves */
	const uint8_t *ahead, *ahead_key;
};

/* Products that are not reduced yet. */
struct product {
	__m512i lo, mid, hi;
};

GCM __m128i get16(const void *p)
{
	return _mm_loadu_si128((const __m128i_u *)p);
}

GCM __m512i all(__m128i x)
{
	return _mm512_broadcast_i32x4(x);
}

GCM __m512i xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi64(a, b, c, XOR3);
}

/* The bytes of each block the other way round. */
GCM __m512i turn(__m512i x)
{
	return _mm512_shuffle_epi8(
		x, all(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
				    13, 14, 15)));
}

/* ---- AES ---- */

/* Round keys come from memory each time: they would fill half of the
 * registers, and the compiler would put them on the stack. */
GCM __m512i round_key(const struct run *r, unsigned i)
{
	return all(get16(r->key->round[i]));
}

GCM void rounds(const struct run *r, __m512i s[], unsigned n, unsigned from,
		unsigned to)
{
	VX6_UNROLL
	for (unsigned k = from; k <= to; k++) {
		VX6_UNROLL
		for (unsigned i = 0; i < n; i++)
			s[i] = _mm512_aesenc_epi128(s[i], round_key(r, k));
	}
}

GCM void blocks(const struct run *r, __m512i s[], unsigned n, unsigned row)
{
	VX6_UNROLL
	for (unsigned i = 0; i < n; i++)
		s[i] = xor(r->base, _mm512_load_si512(counter[row + i]));
}

/* ---- GHASH ---- */

/* x^128 + x^127 + x^126 + x^121 + 1, bits turned round. */
GCM __m512i poly(void)
{
	return all(_mm_set_epi64x((long long)0xc200000000000000, 1));
}

/* Of slice i of n; text: how many blocks of text the last register has, or
 * BETWEEN where this is not the end. */
#define BETWEEN 4u

GCM __m512i power(const struct run *r, unsigned i, unsigned n, unsigned text)
{
	const uint8_t *h = r->key->h[VX6_GCM_POWERS - 4 * (n - i)];

	if (text == BETWEEN)
		return all(get16(h));
	h += 48 - (size_t)16 * text; /* so much lower is e */
	if (i + 1 < n)
		return _mm512_loadu_si512(h);
	return _mm512_maskz_loadu_epi64((__mmask8)((4u << 2 * text) - 1u), h);
}

GCM void multiply(const struct run *r, struct product *p, __m512i x, unsigned i,
		  unsigned n, unsigned text)
{
	__m512i h = power(r, i, n, text), lo, hi, m, w;

	x = turn(x);
	if (i == 0)
		x = xor(x, r->y);
	lo = _mm512_clmulepi64_epi128(x, h, 0x00);
	hi = _mm512_clmulepi64_epi128(x, h, 0x11);
	m = _mm512_clmulepi64_epi128(x, h, 0x01);
	w = _mm512_clmulepi64_epi128(x, h, 0x10);
	if (i == 0) {
		*p = (struct product){ lo, xor(m, w), hi };
		return;
	}
	p->lo = xor(p->lo, lo);
	p->mid = xor3(p->mid, m, w);
	p->hi = xor(p->hi, hi);
}

/* Montgomery's reduction, 64 bits from below at a time. */
GCM void reduce_lo(struct product *p)
{
	__m512i t = _mm512_clmulepi64_epi128(poly(), p->lo, 0x01);

	p->mid = xor3(p->mid, _mm512_shuffle_epi32(p->lo, 0x4e), t);
}

GCM __m512i reduce_mid(const struct product *p)
{
	__m512i t = _mm512_clmulepi64_epi128(poly(), p->mid, 0x01);

	return xor3(p->hi, _mm512_shuffle_epi32(p->mid, 0x4e), t);
}

/* n registers, 1 to 4. */
GCM void hash(struct run *r, const __m512i x[], unsigned n, unsigned text)
{
	struct product p;

	VX6_UNROLL
	for (unsigned i = 0; i < n; i++)
		multiply(r, &p, x[i], i, n, text);
	reduce_lo(&p);
	r->y = reduce_mid(&p);
}

/* The rounds of ns registers, but for the last, and the hash of nx others. */
GCM void stitch(struct run *r, __m512i s[], unsigned ns, const __m512i x[],
		unsigned nx, unsigned text)
{
	struct product p;

	VX6_UNROLL
	for (unsigned i = 0; i < 4; i++) {
		rounds(r, s, ns, 1 + 2 * i, 2 + 2 * i);
		if (i < nx)
			multiply(r, &p, x[i], i, nx, text);
	}
	rounds(r, s, ns, 9, 9);
	reduce_lo(&p);
	rounds(r, s, ns, 10, 11);
	r->y = reduce_mid(&p);
	rounds(r, s, ns, 12, 13);
}

/* ---- text ---- */

/* Products with 1 of the even bytes, and of the odd ones. */
GCM void count(struct run *r, __m512i x)
{
	r->even = _mm512_dpbusd_epi32(r->even, x, _mm512_set1_epi16(1));
	r->odd = _mm512_dpbusd_epi32(r->odd, x, _mm512_set1_epi16(0x100));
}

GCM uint32_t counted(const struct run *r)
{
	__m512i x = _mm512_add_epi32(r->even, _mm512_slli_epi32(r->odd, 8));

	return (uint32_t)_mm512_reduce_add_epi32(x);
}

GCM void get(__m512i x[], unsigned n, const uint8_t *p)
{
	VX6_UNROLL
	for (unsigned i = 0; i < n; i++)
		x[i] = _mm512_loadu_si512(p + WIDE * i);
}

/* The last round, which may as well take the text with its key. */
GCM void put(struct run *r, __m512i s[], unsigned n, const __m512i x[],
	     uint8_t *p)
{
	VX6_UNROLL
	for (unsigned i = 0; i < n; i++) {
		s[i] = _mm512_aesenclast_epi128(s[i],
						xor(round_key(r, 14), x[i]));
		_mm512_storeu_si512(p + WIDE * i, s[i]);
		count(r, s[i]);
	}
}

/* Four lines of what comes next for each four registers of what is here, and
 * at both ends half of its key: spread over the text, none waits for the
 * others. */
GCM void look_ahead(const struct run *r, unsigned row)
{
	VX6_UNROLL
	for (unsigned i = 0; i < 4; i++)
		vx6_prefetch_w(r->ahead + WIDE * (row + i));
}

GCM void look_ahead_key(const struct run *r, unsigned line)
{
	VX6_UNROLL
	for (unsigned i = 0; i < 4; i++)
		vx6_prefetch(r->ahead_key + WIDE * (line + i));
}

/* ---- the ends ---- */

GCM void begin(struct run *r, const struct vx6_aead_lane *m)
{
	r->key = (const struct vx6_gcm_key *)(const void *)m->key;
	r->base = xor(all(_mm_maskz_loadu_epi32(7, m->nonce)), round_key(r, 0));
	r->y = r->even = r->odd = _mm512_setzero_si512();
	r->ahead = m->ahead != NULL ? m->ahead : m->text;
	r->ahead_key = m->ahead_key != NULL ? m->ahead_key : m->key;
}

/* In the last lane. */
GCM __m512i ad_block(const struct vx6_aead_lane *m)
{
	__m128i ad = _mm_loadl_epi64((const __m128i_u *)(const void *)m->ad);

	return _mm512_inserti64x2(_mm512_setzero_si512(), ad, 3);
}

/* The last n registers of a message, whose text ends at `left` bytes in them:
 * x is text as it comes and s as it goes, both 0 behind the end.  That is in
 * the last register, or in the one before where the last has lengths only. */
struct end {
	uint8_t *p;
	size_t len, left;
	unsigned text; /* blocks of it in the last register */
	__mmask8 spot; /* where J0 and the lengths stand */
	__m512i s[4], x[4];
};

GCM __mmask64 mask_of(const struct end *e, unsigned i)
{
	size_t from = (size_t)WIDE * i;

	if (e->left <= from)
		return 0;
	return _bzhi_u64(~UINT64_C(0), e->left - from < WIDE
					       ? (unsigned)(e->left - from)
					       : WIDE);
}

GCM void end_get(const struct run *r, struct end *e, unsigned n, unsigned row)
{
	const __m512i j0 = all(_mm_set_epi32(1 << 24, 0, 0, 0));
	__m512i last = _mm512_load_si512(counter[row + n - 1]);

	e->text = (unsigned)((e->len + 15) / 16 % 4);
	e->spot = (__mmask8)(3u << 2 * e->text);
	blocks(r, e->s, n - 1, row);
	e->s[n - 1] = xor(r->base, _mm512_mask_mov_epi64(last, e->spot, j0));
	if (n > 2)
		get(e->x, n - 2, e->p);
	VX6_UNROLL
	for (unsigned i = n > 2 ? n - 2 : 0; i < n; i++)
		e->x[i] = _mm512_maskz_loadu_epi8(mask_of(e, i),
						  e->p + WIDE * i);
}

/* Into GHASH's last register. */
GCM __m512i with_lengths(const struct end *e, __m512i x)
{
	__m128i len = _mm_set_epi64x(
		(long long)__builtin_bswap64((uint64_t)e->len * 8),
		(long long)__builtin_bswap64(64));

	return _mm512_mask_mov_epi64(x, e->spot, all(len));
}

/* Returns E(J0). */
GCM __m128i end_put(struct run *r, struct end *e, unsigned n)
{
	__m512i j0;

	if (n > 2)
		put(r, e->s, n - 2, e->x, e->p);
	VX6_UNROLL
	for (unsigned i = n > 2 ? n - 2 : 0; i < n; i++) {
		__mmask64 mask = mask_of(e, i);

		e->s[i] = _mm512_aesenclast_epi128(
			e->s[i], xor(round_key(r, 14), e->x[i]));
		if (i == n - 1)
			j0 = _mm512_maskz_compress_epi64(e->spot, e->s[i]);
		e->s[i] = _mm512_maskz_mov_epi8(mask, e->s[i]);
		_mm512_mask_storeu_epi8(e->p + WIDE * i, mask, e->s[i]);
		count(r, e->s[i]);
	}
	return _mm512_castsi512_si128(j0);
}

GCM __m128i tag_of(const struct run *r, __m128i j0)
{
	__m256i y = _mm256_xor_si256(_mm512_castsi512_si256(r->y),
				     _mm512_extracti64x4_epi64(r->y, 1));
	__m128i t = _mm_xor_si128(_mm256_castsi256_si128(y),
				  _mm256_extracti128_si256(y, 1));

	return _mm_xor_si128(
		_mm512_castsi512_si128(turn(_mm512_castsi128_si512(t))), j0);
}

static inline struct end end_of(const struct vx6_aead_lane *m, size_t len,
				unsigned row)
{
	return (struct end){ .p = m->text + (size_t)WIDE * row,
			     .len = len,
			     .left = len - (size_t)WIDE * row };
}

/* Registers that a message takes, with its lengths. */
static inline unsigned registers(size_t len)
{
	return (unsigned)((len + 15) / 16 / 4 + 1);
}

/* ---- open ---- */

/* A message of n registers, 1 to 3, behind AD's. */
GCM __m128i open_few(struct run *r, const struct vx6_aead_lane *m, size_t len,
		     unsigned n)
{
	struct end e = end_of(m, len, 0);
	__m512i x[4];

	look_ahead(r, 0);
	look_ahead_key(r, 0);
	look_ahead_key(r, 4);
	end_get(r, &e, n, 0);
	x[0] = ad_block(m);
	VX6_UNROLL
	for (unsigned i = 0; i < n; i++)
		x[1 + i] = e.x[i];
	x[n] = with_lengths(&e, x[n]);
	stitch(r, e.s, n, x, n + 1, e.text);
	return tag_of(r, end_put(r, &e, n));
}

/* The first n registers of more, 0 to 3. */
GCM void open_first(struct run *r, const struct vx6_aead_lane *m, unsigned n)
{
	__m512i x[4], s[4];

	look_ahead(r, 0);
	look_ahead_key(r, 0);
	x[0] = ad_block(m);
	get(x + 1, n, m->text);
	blocks(r, s, n, 0);
	stitch(r, s, n, x, n + 1, BETWEEN);
	put(r, s, n, x + 1, m->text);
}

GCM __m128i open_last(struct run *r, const struct vx6_aead_lane *m, size_t len,
		      unsigned row)
{
	struct end e = end_of(m, len, row);
	__m512i x[4];

	look_ahead(r, row);
	look_ahead_key(r, 4);
	end_get(r, &e, 4, row);
	VX6_UNROLL
	for (unsigned i = 0; i < 4; i++)
		x[i] = e.x[i];
	x[3] = with_lengths(&e, x[3]);
	stitch(r, e.s, 4, x, 4, e.text);
	return tag_of(r, end_put(r, &e, 4));
}

GCM __m128i open_many(struct run *r, const struct vx6_aead_lane *m, size_t len,
		      unsigned n)
{
	unsigned row = n % 4;
	__m512i x[4], s[4];

	switch (row) {
	case 0: open_first(r, m, 0); break;
	case 1: open_first(r, m, 1); break;
	case 2: open_first(r, m, 2); break;
	default: open_first(r, m, 3); break;
	}
	for (; n - row > 4; row += 4) {
		uint8_t *p = m->text + (size_t)WIDE * row;

		look_ahead(r, row);
		get(x, 4, p);
		blocks(r, s, 4, row);
		stitch(r, s, 4, x, 4, BETWEEN);
		put(r, s, 4, x, p);
	}
	return open_last(r, m, len, row);
}

VX6_GCM_TARGET void vx6_gcm_open(struct vx6_aead_lane *m, size_t len)
{
	unsigned n = registers(len);
	__m128i tag;
	struct run r;

	begin(&r, m);
	switch (n) {
	case 1: tag = open_few(&r, m, len, 1); break;
	case 2: tag = open_few(&r, m, len, 2); break;
	case 3: tag = open_few(&r, m, len, 3); break;
	default: tag = open_many(&r, m, len, n); break;
	}
	tag = _mm_xor_si128(tag, get16(m->text + len));
	m->ok = _mm_testz_si128(tag, tag) != 0;
	m->summed = m->ok;
	m->sum = counted(&r);
}

/* ---- seal ---- */

GCM __m128i seal_few(struct run *r, const struct vx6_aead_lane *m, size_t len,
		     unsigned n)
{
	struct end e = end_of(m, len, 0);
	__m512i x[4];
	__m128i j0;

	look_ahead(r, 0);
	look_ahead_key(r, 0);
	look_ahead_key(r, 4);
	end_get(r, &e, n, 0);
	rounds(r, e.s, n, 1, 13);
	j0 = end_put(r, &e, n);
	x[0] = ad_block(m);
	VX6_UNROLL
	for (unsigned i = 0; i < n; i++)
		x[1 + i] = e.s[i];
	x[n] = with_lengths(&e, x[n]);
	hash(r, x, n + 1, e.text);
	return tag_of(r, j0);
}

/* Seals n registers, 0 to 3, and leaves what is to be hashed for later:
 * always four, zeros in front, so that nobody has to ask. */
GCM void seal_first(struct run *r, const struct vx6_aead_lane *m, unsigned n,
		    __m512i later[4])
{
	__m512i x[3], s[3];

	look_ahead(r, 0);
	look_ahead_key(r, 0);
	get(x, n, m->text);
	blocks(r, s, n, 0);
	rounds(r, s, n, 1, 13);
	put(r, s, n, x, m->text);
	VX6_UNROLL
	for (unsigned i = 0; i < 3 - n; i++)
		later[i] = _mm512_setzero_si512();
	later[3 - n] = ad_block(m);
	VX6_UNROLL
	for (unsigned i = 0; i < n; i++)
		later[4 - n + i] = s[i];
}

GCM __m128i seal_last(struct run *r, const struct vx6_aead_lane *m, size_t len,
		      unsigned row, const __m512i later[4])
{
	struct end e = end_of(m, len, row);
	__m128i j0;

	look_ahead(r, row);
	look_ahead_key(r, 4);
	end_get(r, &e, 4, row);
	stitch(r, e.s, 4, later, 4, BETWEEN);
	j0 = end_put(r, &e, 4);
	e.s[3] = with_lengths(&e, e.s[3]);
	hash(r, e.s, 4, e.text);
	return tag_of(r, j0);
}

GCM __m128i seal_many(struct run *r, const struct vx6_aead_lane *m, size_t len,
		      unsigned n)
{
	__m512i x[4], s[4], later[4];
	unsigned row = n % 4;

	switch (row) {
	case 0: seal_first(r, m, 0, later); break;
	case 1: seal_first(r, m, 1, later); break;
	case 2: seal_first(r, m, 2, later); break;
	default: seal_first(r, m, 3, later); break;
	}
	for (; n - row > 4; row += 4) {
		uint8_t *p = m->text + (size_t)WIDE * row;

		look_ahead(r, row);
		get(x, 4, p);
		blocks(r, s, 4, row);
		stitch(r, s, 4, later, 4, BETWEEN);
		put(r, s, 4, x, p);
		VX6_UNROLL
		for (unsigned i = 0; i < 4; i++)
			later[i] = s[i];
	}
	return seal_last(r, m, len, row, later);
}

VX6_GCM_TARGET void vx6_gcm_seal(struct vx6_aead_lane *m, size_t len)
{
	unsigned n = registers(len);
	__m128i tag;
	struct run r;

	begin(&r, m);
	switch (n) {
	case 1: tag = seal_few(&r, m, len, 1); break;
	case 2: tag = seal_few(&r, m, len, 2); break;
	case 3: tag = seal_few(&r, m, len, 3); break;
	default: tag = seal_many(&r, m, len, n); break;
	}
	_mm_storeu_si128((__m128i_u *)(void *)(m->text + len), tag);
	m->summed = true;
	m->sum = counted(&r) + vx6_tag_sum(m->text + len, len);
}
