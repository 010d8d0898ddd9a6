/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sodium.h>

#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/aead/impl.h"

static bool use_ni; /* written by vx6_aes_start, before threads */

void vx6_aes_start(void)
{
	use_ni = vx6_aes_ni_offers();
}

void vx6_aes_init(struct vx6_aes *a, const uint8_t *key, size_t key_len)
{
	vx6_aes_soft_init(a, key, key_len);
}

void vx6_aes_encrypt(const struct vx6_aes *a, uint8_t out[16],
		     const uint8_t in[16])
{
	if (vx6_likely(use_ni))
		vx6_aes_ni_encrypt(a, out, in);
	else
		vx6_aes_soft_encrypt(a, out, in);
}

void vx6_aes_decrypt(const struct vx6_aes *a, uint8_t out[16],
		     const uint8_t in[16])
{
	if (vx6_likely(use_ni))
		vx6_aes_ni_decrypt(a, out, in);
	else
		vx6_aes_soft_decrypt(a, out, in);
}

void vx6_aes_encrypt_each(struct vx6_aes_op op[], unsigned n)
{
	if (vx6_likely(use_ni)) {
		vx6_aes_ni_encrypt_each(op, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		vx6_aes_soft_encrypt(op[i].key, op[i].block, op[i].block);
}

void vx6_aes_decrypt_each(struct vx6_aes_op op[], unsigned n)
{
	if (vx6_likely(use_ni)) {
		vx6_aes_ni_decrypt_each(op, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		vx6_aes_soft_decrypt(op[i].key, op[i].block, op[i].block);
}

void vx6_aes_wipe(struct vx6_aes *a)
{
	sodium_memzero(a, sizeof(*a));
}
