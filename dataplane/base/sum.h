/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_SUM_H
#define VX6_DATAPLANE_BASE_SUM_H

/* sum: the Internet's checksum (RFC 1071) in pieces.
 *
 * A sum is of 16-bit words as they lie in memory, so that no byte is turned
 * round: what it is stored into is right on any machine.  Unfolded it is any
 * number congruent to it modulo 2^16 - 1, so that words of 16, 32 or 64 bits
 * may be added as they are read, and pieces to one another.
 *
 *     whole = a | b      a of even length      sum(a) + sum(b)
 *                        a of odd length       sum(a) + turned(sum(b))
 *
 * What is summed and then changed is corrected (RFC 1624): add what stands
 * there now, and vx6_sum_less of what stood there before. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* vx6_sum adds up len bytes, 2^16 at most, a zero behind an odd last one;
 * folded, 0 only where all of them are.
 * Cost: reads them once, 64 bytes a step where the CPU has AVX-512 with VNNI,
 * 32 with AVX2, else 16. */
uint16_t vx6_sum(const uint8_t *p, size_t len);

/* vx6_sum_fold: 0 only for 0. */
static inline uint16_t vx6_sum_fold(uint64_t sum)
{
	uint32_t half;

	sum = (sum >> 32) + (sum & 0xffffffffu); /* 33 bits */
	half = (uint32_t)(sum >> 16) + (uint32_t)(sum & 0xffffu);
	half = (half >> 16) + (half & 0xffffu);
	return (uint16_t)((half >> 16) + (half & 0xffffu));
}

/* vx6_sum_word is 32 bits at p. */
static inline uint32_t vx6_sum_word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* vx6_sum_wide is the sum of 64 bits at p. */
static inline uint64_t vx6_sum_wide(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (v >> 32) + (v & 0xffffffffu);
}

/* vx6_sum_less is what to add for a 32-bit word that is there no more. */
static inline uint32_t vx6_sum_less(uint32_t word)
{
	return ~word;
}

/* vx6_sum_turned is a folded sum whose bytes begin at an odd place. */
static inline uint16_t vx6_sum_turned(uint16_t sum)
{
	return (uint16_t)(sum << 8 | sum >> 8);
}

#endif
