/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/resolve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/node/peer.h"

#define PREFIX_MIN 16u /* characters after the tilde: 80 bits */

bool resolve_no(struct resolve_why *why, enum api_code code, const char *hint,
		const char *text)
{
	why->code = code;
	snprintf(why->hint, sizeof(why->hint), "%s", hint);
	snprintf(why->text, sizeof(why->text), "%s", text);
	return false;
}

static bool unknown(const char *name, struct resolve_why *why)
{
	char text[160];

	snprintf(text, sizeof(text), "no node called %.80s is known", name);
	return resolve_no(
		why, API_UNREACHABLE,
		"bring its record: `vx6 identity show --record FILE` there, "
		"`vx6 peer add FILE` here",
		text);
}

static bool several(const char *name, const struct registry_node rn[],
		    unsigned cnt, struct resolve_why *why)
{
	char text[512], id[VX6_ID_TEXT];
	int at = snprintf(text, sizeof(text), "%u nodes are called %s:", cnt,
			  name);

	for (unsigned i = 0; i < cnt && at > 0 && (size_t)at < sizeof(text);
	     i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %s",
			       vx6_id_text(rn[i].id, id));
	return resolve_no(why, API_FAILED,
			  "say which: put its ID in place of the name", text);
}

static unsigned live(const struct registry_node rn[], unsigned cnt)
{
	unsigned n = 0;

	while (n < cnt && rn[n].expires > node_wall())
		n++;
	return n;
}

static bool with_prefix(struct node *n, const char *name, const char *prefix,
			uint8_t id[32], struct resolve_why *why)
{
	struct registry_node *rn = calloc(REGISTRY_CLAIMS_MAX, sizeof(*rn));
	char own[VX6_ID_TEXT];
	unsigned cnt = 0, hits = 0;

	if (!rn ||
	    registry_by_name(n->reg, name, node_wall(), rn, &cnt) != VX6_OK)
		cnt = 0;
	for (unsigned i = 0; i < cnt; i++) {
		vx6_id_text(rn[i].id, own);
		if (strncmp(own + 3, prefix, strlen(prefix)) == 0) {
			memcpy(id, rn[i].id, 32);
			hits++;
		}
	}
	free(rn);
	if (hits == 1 && strlen(prefix) >= PREFIX_MIN)
		return true;
	return hits == 0 ? unknown(name, why)
			 : resolve_no(why, API_FAILED,
				      "give 16 characters after the ~",
				      "the characters after the ~ name it not "
				      "surely");
}

bool resolve_node(struct node *n, const char *text, uint8_t id[32],
		  struct resolve_why *why)
{
	struct registry_node *rn;
	const char *tilde = strchr(text, '~');
	unsigned cnt = 0;
	char name[NAME_TEXT];
	bool ok;

	if (vx6_id_parse(id, text) == VX6_OK)
		return true;
	size_t len = tilde ? (size_t)(tilde - text) : strlen(text);

	if (!name_ok(text, len))
		return resolve_no(why, API_USAGE, "a name is " NAME_RULE,
				  "that is no name and no node ID");
	memcpy(name, text, len);
	name[len] = '\0';
	if (tilde)
		return with_prefix(n, name, tilde + 1, id, why);
	if (strcmp(name, n->cfg.node.name) == 0) {
		memcpy(id, n->id.id, 32);
		return true;
	}
	if (registry_pinned(n->reg, name, id) == VX6_OK)
		return true;
	rn = calloc(REGISTRY_CLAIMS_MAX, sizeof(*rn));
	if (!rn ||
	    registry_by_name(n->reg, name, node_wall(), rn, &cnt) != VX6_OK)
		cnt = 0;
	unsigned alive = live(rn, cnt);

	if (alive > 1 || (alive == 0 && cnt > 1))
		ok = several(name, rn, alive ? alive : cnt, why);
	else
		ok = cnt > 0 || unknown(name, why);
	if (ok)
		memcpy(id, rn[0].id, 32);
	free(rn);
	return ok;
}

bool resolve_relay(struct node *n, const char *text, uint8_t id[32],
		   struct resolve_why *why)
{
	struct node_record rec;
	char words[160];

	if (!resolve_node(n, text, id, why)) {
		if (why->code == API_UNREACHABLE)
			snprintf(why->text, sizeof(why->text),
				 "%.60s is not a known relay", text);
		why->code = why->code == API_UNREACHABLE ? API_FAILED
							 : why->code;
		return false;
	}
	if (memcmp(id, n->id.id, 32) == 0)
		return resolve_no(why, API_USAGE, "leave it out of the path",
				  "the path has this node itself in it");
	if (node_record(n, id, &rec) == VX6_OK && (rec.roles & NODE_ROLE_RELAY))
		return true;
	snprintf(words, sizeof(words), "%.60s is not a known relay", text);
	return resolve_no(why, API_FAILED, "`vx6 peer list` shows the relays",
			  words);
}

bool resolve_clock(struct node *n, struct resolve_why *why)
{
	int64_t skew = (int64_t)(n->cfg.timers.clock_skew_ns / VX6_MS);
	unsigned all = 0, far = 0;
	int64_t off = 0;

	for (struct peer *p = n->peers; p; p = p->next) {
		if (p->state != PEER_READY || !p->hello_got)
			continue;
		all++;
		if (p->clock_ms > skew || p->clock_ms < -skew) {
			off = p->clock_ms;
			far++;
		}
	}
	if (far == 0 || far * 2 <= all)
		return false;
	why->code = API_FAILED;
	snprintf(why->text, sizeof(why->text),
		 "the clock is %" PRId64 " s %s %u of %u peers",
		 (off < 0 ? -off : off) / 1000, off > 0 ? "behind" : "ahead of",
		 far, all);
	snprintf(why->hint, sizeof(why->hint),
		 "set this host's clock, by chrony or systemd-timesyncd");
	return true;
}
