/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/aead/impl.h"

#include <immintrin.h>

bool vx6_aes_ni_offers(void)
{
	return __builtin_cpu_supports("aes") &&
	       __builtin_cpu_supports("sse4.1");
}

static __m128i get(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i_u *)(const void *)p);
}

/* The rounds between the first key and the last; written out, since a loop
 * costs as much as the rounds. */
#define ROUNDS(x, op, k)                                                       \
	do {                                                                   \
		x = op(x, get((k) + 16));                                      \
		x = op(x, get((k) + 32));                                      \
		x = op(x, get((k) + 48));                                      \
		x = op(x, get((k) + 64));                                      \
		x = op(x, get((k) + 80));                                      \
		x = op(x, get((k) + 96));                                      \
		x = op(x, get((k) + 112));                                     \
		x = op(x, get((k) + 128));                                     \
		x = op(x, get((k) + 144));                                     \
	} while (0)

#define NI VX6_TARGET("aes,sse4.1")

NI static inline void encrypt(const struct vx6_aes *a, uint8_t out[16],
			      const uint8_t in[16])
{
	const uint8_t *k = a->enc;
	__m128i x = _mm_xor_si128(get(in), get(k));

	ROUNDS(x, _mm_aesenc_si128, k);
	for (unsigned i = 10; i < a->rounds; i++)
		x = _mm_aesenc_si128(x, get(k + i * 16u));
	x = _mm_aesenclast_si128(x, get(k + a->rounds * 16u));
	_mm_storeu_si128((__m128i_u *)(void *)out, x);
}

NI static inline void decrypt(const struct vx6_aes *a, uint8_t out[16],
			      const uint8_t in[16])
{
	const uint8_t *k = a->dec;
	__m128i x = _mm_xor_si128(get(in), get(k));

	ROUNDS(x, _mm_aesdec_si128, k);
	for (unsigned i = 10; i < a->rounds; i++)
		x = _mm_aesdec_si128(x, get(k + i * 16u));
	x = _mm_aesdeclast_si128(x, get(k + a->rounds * 16u));
	_mm_storeu_si128((__m128i_u *)(void *)out, x);
}

NI void vx6_aes_ni_encrypt(const struct vx6_aes *a, uint8_t out[16],
			   const uint8_t in[16])
{
	encrypt(a, out, in);
}

NI void vx6_aes_ni_decrypt(const struct vx6_aes *a, uint8_t out[16],
			   const uint8_t in[16])
{
	decrypt(a, out, in);
}

/* One block waits for its rounds most of the time; the CPU begins the next
 * ones meanwhile. */
NI void vx6_aes_ni_encrypt_each(struct vx6_aes_op op[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		encrypt(op[i].key, op[i].block, op[i].block);
}

NI void vx6_aes_ni_decrypt_each(struct vx6_aes_op op[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		decrypt(op[i].key, op[i].block, op[i].block);
}
