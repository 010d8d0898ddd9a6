/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_BYTES_H
#define VX6_DATAPLANE_BASE_BYTES_H

/* bytes: big-endian integers at any alignment, and nothing else.
 *
 * Every integer on the wire is big-endian (PROTOCOL.md).  The compiler
 * turns each of these into one load or store and a byte swap. */

#include <stdint.h>
#include <string.h>

static inline uint16_t vx6_get16(const uint8_t *p)
{
	return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static inline uint32_t vx6_get24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t vx6_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t vx6_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline uint64_t vx6_get48(const uint8_t *p)
{
	return (uint64_t)vx6_get16(p) << 32 | vx6_get32(p + 2);
}

static inline void vx6_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void vx6_put24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void vx6_put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void vx6_put64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

static inline void vx6_put48(uint8_t *p, uint64_t v)
{
	vx6_put16(p, (uint16_t)(v >> 32));
	vx6_put32(p + 2, (uint32_t)v);
}

#endif
