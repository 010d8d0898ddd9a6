/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/base/text.h"

#include <string.h>

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

const char *vx6_base32(const uint8_t *in, size_t len, char *out)
{
	uint32_t acc = 0, bits = 0;
	char *o = out;

	for (size_t i = 0; i < len; i++) {
		acc = acc << 8 | in[i];
		for (bits += 8; bits >= 5; bits -= 5)
			*o++ = alphabet[acc >> (bits - 5) & 31u];
	}
	if (bits > 0)
		*o++ = alphabet[acc << (5 - bits) & 31u];
	*o = '\0';
	return out;
}

static int value_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

enum vx6_status vx6_unbase32(const char *text, uint8_t *out, size_t len)
{
	uint32_t acc = 0, bits = 0;
	size_t got = 0;

	if (strlen(text) != VX6_BASE32(len) - 1u)
		return VX6_MALFORMED;
	for (; *text; text++) {
		int v = value_of(*text);

		if (v < 0)
			return VX6_MALFORMED;
		acc = acc << 5 | (uint32_t)v;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out[got++] = (uint8_t)(acc >> bits);
		}
	}
	if (got != len || (acc & ((1u << bits) - 1u)) != 0)
		return VX6_MALFORMED;
	return VX6_OK;
}

const char *vx6_id_text(const uint8_t id[VX6_ID_LEN], char out[VX6_ID_TEXT])
{
	memcpy(out, "vx6", 3);
	vx6_base32(id, VX6_ID_LEN, out + 3);
	return out;
}

enum vx6_status vx6_id_parse(uint8_t id[VX6_ID_LEN], const char *text)
{
	if (strncmp(text, "vx6", 3) != 0)
		return VX6_MALFORMED;
	return vx6_unbase32(text + 3, id, VX6_ID_LEN);
}
