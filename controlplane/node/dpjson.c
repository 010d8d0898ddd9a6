/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/dpjson.h"

#include "xdp/abi.h"

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

json_t *dpjson_drops(const uint64_t drop[VX6_STATUS_CNT])
{
	json_t *o = json_object();

	for (unsigned i = 1; i < VX6_STATUS_CNT; i++)
		if (drop[i])
			json_object_set_new(o,
					    vx6_status_name((enum vx6_status)i),
					    json_integer((json_int_t)drop[i]));
	return o;
}

static const char *backend_name(unsigned backend)
{
	switch ((enum abi_backend)backend) {
	case ABI_BACKEND_AF_XDP: return "af_xdp";
	case ABI_BACKEND_DPDK: return "dpdk";
	case ABI_BACKEND_UDP: break;
	}
	return "udp";
}

static json_t *interfaces(const struct abi_stats *s)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < ABI_IF_CNT; i++) {
		const struct abi_if *f = &s->interface[i];
		bool zero = (f->bits & ABI_IF_ZEROCOPY) != 0;
		bool beside = (f->bits & ABI_IF_DISPATCHER) != 0;

		if (f->name[0] == '\0')
			break;
		json_array_append_new(
			all,
			json_pack("{s:s, s:s, s:s, s:i, s:I, s:s}", "name",
				  f->name, "mode", "native", "packets",
				  zero ? "zero-copy" : "copy", "queues",
				  (int)f->queues, "mtu", (json_int_t)f->mtu,
				  "attached", beside ? "dispatcher" : "link"));
	}
	return all;
}

void dpjson_backend(json_t *o, const struct abi_stats *s)
{
	json_object_set_new(o, "backend",
			    json_string(backend_name(s->backend)));
	json_object_set_new(o, "asked", json_string(backend_name(s->asked)));
	json_object_set_new(o, "why",
			    s->why[0] != '\0' ? json_string(s->why)
					      : json_null());
	json_object_set_new(o, "interfaces", interfaces(s));
}

/* What the classifier did with packets, by reason; those that occurred. */
static json_t *classifier(const uint64_t cnt[ABI_XDP_CNT])
{
	static const struct {
		const char *name, *verdict;
	} reason[] = {
#define X(name, verdict, text) { #name, #verdict },
		VX6_XDP_REASON_LIST(X)
#undef X
	};
	json_t *o = json_object();

	for (unsigned i = 0; i < VX6_COUNT(reason); i++)
		if (cnt[i] != 0)
			json_object_set_new(o, reason[i].name,
					    json_pack("{s:s, s:o}", "verdict",
						      reason[i].verdict,
						      "packets",
						      number(cnt[i])));
	return o;
}

json_t *dpjson_stats(const struct abi_stats *s)
{
	json_t *o = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:I, s:o}",
		"rx_cells", (json_int_t)s->rx_cells, "tx_cells",
		(json_int_t)s->tx_cells, "rx_bytes", (json_int_t)s->rx_bytes,
		"tx_bytes", (json_int_t)s->tx_bytes, "forwarded",
		(json_int_t)s->forwarded, "backwarded",
		(json_int_t)s->backwarded, "up", (json_int_t)s->up, "down",
		(json_int_t)s->down, "injected", (json_int_t)s->injected,
		"links", (json_int_t)s->links, "halves", (json_int_t)s->halves,
		"busy_ns", (json_int_t)s->busy_ns, "spin_ns",
		(json_int_t)s->spin_ns, "blocked_ns", (json_int_t)s->blocked_ns,
		"ring_full", (json_int_t)s->ring_full, "drops",
		dpjson_drops(s->drop));

	json_object_set_new(o, "handed", number(s->handed));
	json_object_set_new(o, "rx_xsk", number(s->rx_xsk));
	json_object_set_new(o, "tx_xsk", number(s->tx_xsk));
	json_object_set_new(o, "rx_socket", number(s->rx_sock));
	json_object_set_new(o, "tx_socket", number(s->tx_sock));
	json_object_set_new(o, "keeper_refused", number(s->refused));
	json_object_set_new(o, "longest_turn_ns", number(s->longest_ns));
	json_object_set_new(o, "rx_waited_most", number(s->rx_most));
	json_object_set_new(o, "classifier", classifier(s->xdp));
	dpjson_backend(o, s);
	return o;
}

static json_t *queues(uint64_t bits)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < 64; i++)
		if ((bits >> i & 1) != 0)
			json_array_append_new(all, number(i));
	return all;
}

static json_t *number_or_null(int32_t v)
{
	return v < 0 ? json_null() : json_integer(v);
}

static json_t *worker(const struct abi_worker *w)
{
	static const char *const pages[] = { "small", "transparent", "huge" };
	json_t *o = json_pack("{s:I, s:o, s:o, s:o, s:s, s:I, s:s}", "worker",
			      (json_int_t)w->index, "queues", queues(w->queues),
			      "cpu", number_or_null(w->cpu), "node",
			      number_or_null(w->node), "pages",
			      w->pages < VX6_COUNT(pages) ? pages[w->pages]
							  : "unknown",
			      "page_bytes", (json_int_t)w->page_len, "idle",
			      w->spin != 0 ? "spin" : "adaptive");

	json_object_set_new(o, "rx_cells", number(w->rx_cells));
	json_object_set_new(o, "tx_cells", number(w->tx_cells));
	json_object_set_new(o, "handed", number(w->handed));
	json_object_set_new(o, "handed_off_full", number(w->hand_full));
	json_object_set_new(o, "halves", number(w->halves));
	json_object_set_new(o, "stalls", number(w->stalls));
	json_object_set_new(o, "busy_ns", number(w->busy_ns));
	json_object_set_new(o, "spin_ns", number(w->spin_ns));
	json_object_set_new(o, "blocked_ns", number(w->blocked_ns));
	json_object_set_new(o, "longest_turn_ns", number(w->longest_ns));
	json_object_set_new(o, "rx_waited_most", number(w->rx_most));
	return o;
}

json_t *dpjson_workers(const struct abi_worker w[], unsigned cnt)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < cnt; i++)
		json_array_append_new(all, worker(&w[i]));
	return all;
}
