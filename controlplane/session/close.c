/* SPDX-License-Identifier: GPL-2.0-or-later */
/* close: how a connection ends, said in words that help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/text.h"

#define LINGER_MIN_NS (100 * VX6_MS)
#define LINGER_MAX_NS (3 * VX6_SEC)

/* RFC 8446 section 6.2: what an alert says of the end that is blamed. */
static const struct {
	uint8_t alert;
	const char *text;
} alerts[] = {
	{ 10,  "unexpected message"                                  },
	{ 40,  "no common parameters"                                },
	{ 42,  "bad certificate, or not the identity that was named" },
	{ 43,  "certificate not supported"                           },
	{ 46,  "certificate not accepted"                            },
	{ 47,  "illegal parameter"				   },
	{ 48,  "certificate not accepted"                            },
	{ 50,  "message cannot be decoded"                           },
	{ 51,  "the signature does not fit the certificate's key"    },
	{ 70,  "no common TLS version"                               },
	{ 80,  "internal error"				      },
	{ 109, "an extension is missing"                             },
	{ 116, "no certificate was shown"                            },
	{ 120, "no common protocol (ALPN)"                           },
};

static const char *alert_text(uint8_t alert)
{
	for (size_t i = 0; i < VX6_COUNT(alerts); i++) {
		if (alerts[i].alert == alert)
			return alerts[i].text;
	}
	return "TLS failed";
}

static bool is_tls(uint64_t code)
{
	return code >= NGTCP2_CRYPTO_ERROR && code < NGTCP2_CRYPTO_ERROR + 256;
}

/* The peer's words are shown to people: nothing but printable ASCII. */
static void take_reason(char out[QUIC_REASON], const uint8_t *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < QUIC_REASON - 1; i++)
		out[n++] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i]
							     : '?';
	out[n] = '\0';
}

static void words(struct quic_close *why, const char *text)
{
	snprintf(why->reason, sizeof(why->reason), "%s", text);
}

static void by_peer(struct quic_conn *c, struct quic_close *why)
{
	const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c->q);

	why->kind = QUIC_CLOSE_PEER;
	if (c->was_reset) {
		why->kind = QUIC_CLOSE_ERROR;
		words(why, "the peer does not know this connection "
			   "any more: it was restarted");
		return;
	}
	why->code = e->error_code;
	why->application = e->type == NGTCP2_CCERR_TYPE_APPLICATION;
	take_reason(why->reason, e->reason, e->reason ? e->reasonlen : 0);
	if (why->application || e->error_code == NGTCP2_NO_ERROR ||
	    e->error_code == NGTCP2_APPLICATION_ERROR)
		return;
	if (is_tls(e->error_code)) {
		uint8_t alert = (uint8_t)(e->error_code & 0xff);

		why->kind = QUIC_CLOSE_REFUSED;
		snprintf(why->reason, sizeof(why->reason),
			 "the peer refused us: %s (TLS alert %u)",
			 alert_text(alert), alert);
	} else if (e->error_code == NGTCP2_CONNECTION_REFUSED) {
		why->kind = QUIC_CLOSE_REFUSED;
		words(why, "the peer refused the connection");
	} else {
		why->kind = QUIC_CLOSE_ERROR;
		snprintf(why->reason, sizeof(why->reason),
			 "the peer gave up with QUIC error 0x%llx",
			 (unsigned long long)e->error_code);
	}
}

static void by_tls(struct quic_conn *c, struct quic_close *why,
		   ngtcp2_ccerr *say)
{
	uint8_t alert = ngtcp2_conn_get_tls_alert(c->q);

	if (alert == 0)
		alert = 40;
	ngtcp2_ccerr_set_tls_alert(say, alert, NULL, 0);
	why->code = say->error_code;
	if (c->mismatch) {
		char id[VX6_ID_TEXT];

		why->kind = QUIC_CLOSE_IDENTITY;
		memcpy(why->proved, c->peer_id, sizeof(why->proved));
		snprintf(why->reason, sizeof(why->reason),
			 "it proved to be %s, which is not the node named",
			 vx6_id_text(c->peer_id, id));
		return;
	}
	why->kind = QUIC_CLOSE_REFUSED;
	snprintf(why->reason, sizeof(why->reason),
		 "the peer was refused: %s (TLS alert %u)", alert_text(alert),
		 alert);
}

static void by_library(struct quic_conn *c, int err, struct quic_close *why,
		       ngtcp2_ccerr *say)
{
	why->kind = QUIC_CLOSE_ERROR;
	if (c->hoards)
		err = NGTCP2_ERR_CONNECTION_ID_LIMIT;
	ngtcp2_ccerr_set_liberr(say, err, NULL, 0);
	why->code = say->error_code;
	snprintf(why->reason, sizeof(why->reason), "QUIC: %s",
		 ngtcp2_strerror(err));
}

void quic_conn_fail(struct quic_conn *c, int err)
{
	struct quic_close why = { 0 };
	ngtcp2_ccerr say;

	if (c->state == CONN_LINGER)
		return;
	ngtcp2_ccerr_default(&say);
	switch (err) {
	case NGTCP2_ERR_DRAINING:
		by_peer(c, &why);
		quic_conn_end(c, &why, NULL);
		return;
	case NGTCP2_ERR_IDLE_CLOSE:
		why.kind = QUIC_CLOSE_IDLE;
		words(&why, "nothing was heard of the peer in time");
		quic_conn_end(c, &why, NULL);
		return;
	case NGTCP2_ERR_DROP_CONN:
	case NGTCP2_ERR_RETRY:
		by_library(c, err, &why, &say);
		quic_conn_end(c, &why, NULL);
		return;
	case NGTCP2_ERR_CRYPTO: by_tls(c, &why, &say); break;
	default: by_library(c, err, &why, &say); break;
	}
	if (c->state == CONN_HANDSHAKE && c->tls_err != 0 &&
	    err != NGTCP2_ERR_CRYPTO)
		why.kind = QUIC_CLOSE_REFUSED;
	quic_conn_end(c, &why, &say);
}

/* Writes and sends CONNECTION_CLOSE; keeps a copy for who still talks. */
static void say_close(struct quic_conn *c, const ngtcp2_ccerr *say)
{
	uint8_t packet[QUIC_MAX_PACKET];
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	struct quic_path path;

	ngtcp2_path_storage_zero(&ps);
	ngtcp2_ssize n = ngtcp2_conn_write_connection_close(
		c->q, &ps.path, &pi, packet, quic_packet_room(c), say,
		c->ep->now_ns);
	if (n <= 0)
		return;
	quic_to_path(&path, &ps.path);
	quic_send_now(c->ep, c, &path, packet, (size_t)n);
	c->linger.packet = malloc((size_t)n);
	if (!c->linger.packet)
		return;
	memcpy(c->linger.packet, packet, (size_t)n);
	c->linger.len = (size_t)n;
}

static void raise_closed(struct quic_conn *c, const struct quic_close *why)
{
	struct quic_endpoint *ep = c->ep;

	if (!ep->events.closed)
		return;
	ep->in_event++;
	ep->events.closed(ep->ctx, c, why);
	ep->in_event--;
}

static uint64_t linger_time(const struct quic_conn *c)
{
	uint64_t t = 3 * ngtcp2_conn_get_pto(c->q);

	return t < LINGER_MIN_NS   ? LINGER_MIN_NS
	       : t > LINGER_MAX_NS ? LINGER_MAX_NS
				   : t;
}

void quic_conn_end(struct quic_conn *c, const struct quic_close *why,
		   const ngtcp2_ccerr *say)
{
	struct quic_endpoint *ep = c->ep;
	struct quic_close full = *why;

	if (c->state == CONN_LINGER || c->doomed)
		return;
	full.was_ready = c->state == CONN_READY;
	if (ep->batch.conn == c && !ep->batch.held)
		quic_batch_send(ep);
	if (ep->batch.conn == c)
		ep->batch.conn = NULL;
	/* Nobody is there to be answered, or nobody ever was. */
	bool quiet = !say && why->kind != QUIC_CLOSE_PEER &&
		     why->kind != QUIC_CLOSE_REFUSED;
	if (say)
		say_close(c, say);
	uint64_t until = ep->now_ns + linger_time(c);
	if (c->half_open)
		ep->half_open_cnt--;
	c->half_open = false;
	c->close_req = false;
	c->state = CONN_LINGER;
	ep->linger_cnt++;
	raise_closed(c, &full);
	ngtcp2_conn_del(c->q);
	c->q = NULL;
	quic_tls_free(c);
	quic_stream_free_all(c);
	free(c->dgrams);
	c->dgrams = NULL;
	if (quiet || ep->linger_cnt > ep->limits.conns / 4) {
		c->doomed = true;
		c->dead_next = ep->dead;
		ep->dead = c;
		quic_heap_set(c, VX6_NEVER);
	} else {
		quic_heap_set(c, until);
	}
}

/* RFC 9000 section 10.2.1: answer, but less and less often. */
enum vx6_status quic_linger_receive(struct quic_conn *c)
{
	uint32_t n = ++c->linger.heard;

	if (c->linger.packet && (n & (n - 1)) == 0)
		quic_send_now(c->ep, NULL, &c->path, c->linger.packet,
			      c->linger.len);
	return VX6_OK;
}

void quic_conn_end_local(struct quic_conn *c)
{
	struct quic_close why = { .kind = QUIC_CLOSE_LOCAL,
				  .code = c->close_code,
				  .application = true };
	ngtcp2_ccerr say;

	memcpy(why.reason, c->close_reason, sizeof(why.reason));
	ngtcp2_ccerr_default(&say);
	ngtcp2_ccerr_set_application_error(&say, c->close_code,
					   (const uint8_t *)c->close_reason,
					   strlen(c->close_reason));
	quic_conn_end(c, &why, &say);
}

void quic_close(struct quic_conn *c, uint64_t code, const char *reason,
		uint64_t now_ns)
{
	struct quic_endpoint *ep = c->ep;

	if (c->state == CONN_LINGER || c->close_req)
		return;
	c->close_code = code;
	take_reason(c->close_reason, (const uint8_t *)reason, strlen(reason));
	c->close_req = true;
	ep->has_closes = true;
	quic_enter(ep, now_ns);
	quic_leave(ep);
}
