/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_EVIL_H
#define VX6_TESTS_SUPPORT_EVIL_H

/* evil: a peer that passed the handshake and then says what it likes.
 *
 * It is a connection of ours whose packets are changed between being
 * composed and being sealed: the other end gets authenticated packets
 * with any frames in them.  One at a time in a process. */

#include "controlplane/session/quic.h"
#include "tests/support/pair.h"

/* mangle changes the plaintext of a packet in place; app: of 1-RTT. */
typedef void (*evil_mangle)(void *ctx, uint8_t *text, size_t len, bool app);

/* evil_dial is pair_dial with a client whose packets mangle sees.  The
 * connection is the pair's end 0. */
struct quic_conn *evil_dial(struct pair *p, enum quic_alpn alpn,
			    evil_mangle mangle, void *ctx);

/* evil_serve makes the server of the next connection such a one. */
void evil_serve(struct pair *p, evil_mangle mangle, void *ctx);

/* evil_no_acks turns every ACK frame at the front of text into padding. */
void evil_no_acks(uint8_t *text, size_t len);

#endif
