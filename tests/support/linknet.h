/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_LINKNET_H
#define VX6_TESTS_SUPPORT_LINKNET_H

/* linknet: two ends of a link and a network between them, in memory.
 *
 * Two struct vx6_link, a queue of datagrams with delay, loss, a largest
 * size and NAT, and virtual time, so that a day takes no longer than its
 * probes.  A tap reads, copies and swallows what it likes and knows no
 * key.  Probes of a hostile peer are built here a second time, from
 * PROTOCOL.md section 6 with libsodium's own calls.
 *
 * One network a program; linknet_init starts it anew. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/link.h"

#define LINKNET_QUEUE 64u
/* the hosts' uptime when the link is made */
#define LINKNET_START (1000 * VX6_SEC)

enum { LINKNET_ASK = 1, LINKNET_ANSWER, LINKNET_CHALLENGE, LINKNET_RESPONSE };

struct linknet_packet {
	uint64_t at;
	struct vx6_addr from, to;
	uint16_t len;
	uint8_t data[VX6_CELL_MAX];
};

struct linknet_end {
	struct vx6_link link;
	struct vx6_link_keys keys;
	struct vx6_addr inside; /* where the link lives, as the net sees it */
	unsigned up, down, moved, size; /* events */
	unsigned sent, received, refused[VX6_STATUS_CNT];
	uint64_t last_event;
};

struct linknet {
	struct linknet_end a, b;
	struct vx6_rand rnd;
	uint64_t now, delay;
	unsigned loss_percent, largest;
	bool cut;   /* nothing passes */
	bool twice; /* everything comes twice */
	/* sees what is sent; false swallows it */
	bool (*tap)(struct linknet *n, struct linknet_packet *p);
	struct linknet_packet queue[LINKNET_QUEUE], kept;
	unsigned queued, taps;
};

extern struct linknet linknet;

struct vx6_addr linknet_addr(const char *text);

/* linknet_setup is the link as its opener (a) or answerer (b) has it. */
struct vx6_link_setup linknet_setup(bool opener);
void linknet_init(const struct vx6_link_setup *a,
		  const struct vx6_link_setup *b);
void linknet_plain(void);

/* linknet_start is cmocka's fixture for the group. */
int linknet_start(void **state);

/* linknet_run runs the world for ns, from event to event. */
void linknet_run(uint64_t ns);
void linknet_tick(struct linknet_end *e);
void linknet_put(const struct linknet_packet *p);

/* linknet_arrive hands a datagram to an end as a socket does; out is the
 * caller's to judge.  linknet_deliver sends on and counts what came out,
 * which is linknet_note's work. */
enum vx6_status linknet_arrive(struct linknet_end *e,
			       const struct linknet_packet *p,
			       struct vx6_link_out *out);
enum vx6_status linknet_deliver(struct linknet_end *e,
				const struct linknet_packet *p);
void linknet_note(struct linknet_end *e, const struct vx6_link_out *out);

/* ---- a second reading of section 6 ---- */

struct linknet_text {
	uint8_t op, zero;
	uint16_t u;
	uint64_t token, clock;
	struct vx6_addr seen;
};

size_t linknet_text_put(uint8_t *out, const struct linknet_text *t);

/* linknet_forge builds what `to`'s peer would send, from where it is. */
void linknet_forge(struct linknet_packet *p, const struct linknet_end *to,
		   uint64_t ctr, uint8_t op, uint64_t token);
void linknet_forge_raw(struct linknet_packet *p, const struct linknet_end *to,
		       uint64_t ctr, const uint8_t *text, size_t text_len,
		       unsigned kind);

/* linknet_reveal opens what `from` sent. */
void linknet_reveal(const struct linknet_end *from,
		    const struct linknet_packet *p, struct linknet_text *t,
		    uint64_t *ctr);

#endif
