/* SPDX-License-Identifier: GPL-2.0-or-later */

/* services: what this node offers, to whom, and how often it was asked. */

#include <stdio.h>
#include <string.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/node.h"
#include "controlplane/record/message.h"

/* The counters of a service keep their place until it is removed. */
static void service_place(struct node *n, const char *name)
{
	struct node_service *free_one = NULL;

	for (uint32_t i = 0; i < n->cfg.limits.services; i++) {
		struct node_service *s = &n->service[i];

		if (strcmp(s->name, name) == 0)
			return;
		if (!free_one && s->name[0] == '\0')
			free_one = s;
	}
	if (!free_one)
		return;
	*free_one = (struct node_service){ 0 };
	snprintf(free_one->name, sizeof(free_one->name), "%s", name);
}

void node_service_gone(struct node *n, const char *name)
{
	for (uint32_t i = 0; i < n->cfg.limits.services; i++)
		if (strcmp(n->service[i].name, name) == 0)
			n->service[i] = (struct node_service){ 0 };
}

static void take_service(void *ctx, const struct registry_service *s)
{
	struct node *n = ctx;
	struct access_list who = { .open = s->is_public };

	for (uint32_t i = 0; i < s->allow_cnt; i++)
		if (access_list_add(&who, s->allow[i]) != VX6_OK)
			log_warn("service", "list-full",
				 log_str("name", s->name));
	service_place(n, s->name);
	/* Whether a target beyond loopback is wanted was asked at `add`. */
	if (s->proto == REGISTRY_TCP &&
	    access_add(&n->access, s->name, &s->target, &who, true) != VX6_OK)
		log_warn("service", "not-offered", log_str("name", s->name));
}

void node_services_changed(struct node *n)
{
	access_free(&n->access);
	if (access_init(&n->access, n->cfg.limits.services) != VX6_OK ||
	    registry_services(n->reg, take_service, n) != VX6_OK)
		log_error("service", "not-read");
	node_via_changed(n);
}

/* Every place is looked at, whoever asks for whatever: a stranger must not
 * learn by the clock which services there are. */
static void count_open(struct node *n, const char *name, bool allowed)
{
	for (uint32_t i = 0; i < n->cfg.limits.services; i++) {
		bool it = strcmp(n->service[i].name, name) == 0;

		n->service[i].served += it && allowed;
		n->service[i].refused += it && !allowed;
	}
}

enum vx6_status node_authorise(void *ctx, struct quic_conn *c, const char *name,
			       enum msg_proto proto, struct vx6_addr *target)
{
	struct node *n = ctx;
	enum vx6_status st = access_find(&n->access, name, quic_peer(c),
					 target);

	if (proto != MSG_TCP)
		st = VX6_DENIED;
	count_open(n, name, st == VX6_OK);
	return st;
}
