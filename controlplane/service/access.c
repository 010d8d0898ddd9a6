/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/service/access.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum vx6_status access_list_add(struct access_list *l, const uint8_t node[32])
{
	for (uint32_t i = 0; i < l->cnt; i++)
		if (memcmp(l->node[i], node, 32) == 0)
			return VX6_OK;
	if (l->cnt == ACCESS_NODES)
		return VX6_NO_ROOM;
	memcpy(l->node[l->cnt++], node, 32);
	return VX6_OK;
}

bool access_list_has(const struct access_list *l, const uint8_t node[32])
{
	unsigned found = l->open;

	for (uint32_t i = 0; i < ACCESS_NODES; i++) {
		unsigned same = sodium_memcmp(l->node[i], node, 32) == 0;

		found |= same & (unsigned)(i < l->cnt);
	}
	return found != 0;
}

enum vx6_status access_init(struct access_table *t, uint32_t max)
{
	*t = (struct access_table){ .max = max ? max : ACCESS_ENTRIES };
	t->entry = calloc(t->max, sizeof(*t->entry));
	return t->entry ? VX6_OK : VX6_NO_MEMORY;
}

void access_free(struct access_table *t)
{
	free(t->entry);
	*t = (struct access_table){ 0 };
}

/* padded makes a name comparable as 16 bytes, whatever its length. */
static void padded(char to[NAME_TEXT], const char *name)
{
	size_t len = strnlen(name, NAME_TEXT);

	memset(to, 0, NAME_TEXT);
	memcpy(to, name, len);
}

/* find looks at every place of the table.  No entry: max. */
static uint32_t find(const struct access_table *t, const char *name)
{
	char want[NAME_TEXT];
	uint32_t at = t->max;

	padded(want, name);
	for (uint32_t i = 0; i < t->max; i++) {
		uint32_t same = sodium_memcmp(t->entry[i].name, want,
					      NAME_TEXT) == 0;

		same &= (uint32_t)(i < t->cnt); /* and not before: no && */
		at = same ? i : at;
	}
	return at;
}

enum vx6_status access_add(struct access_table *t, const char *name,
			   const struct vx6_addr *target,
			   const struct access_list *who, bool any_target)
{
	struct access_entry *e;

	if (!name_ok(name, strlen(name)) || target->port == 0)
		return VX6_MALFORMED;
	if (!any_target && !vx6_addr_is_loopback(target))
		return VX6_DENIED;
	if (!who->open && who->cnt == 0)
		return VX6_DENIED;
	if (find(t, name) < t->max)
		return VX6_EXISTS;
	if (t->cnt == t->max)
		return VX6_NO_ROOM;
	e = &t->entry[t->cnt++];
	padded(e->name, name);
	e->target = *target;
	e->who = *who;
	return VX6_OK;
}

enum vx6_status access_find(const struct access_table *t, const char *name,
			    const uint8_t node[32], struct vx6_addr *target)
{
	/* For a name that is not there, a list that lets nobody in. */
	static const struct access_entry nobody;
	uint32_t at = find(t, name);
	const struct access_entry *e = at < t->max ? &t->entry[at] : &nobody;

	if (!access_list_has(&e->who, node))
		return VX6_DENIED;
	*target = e->target;
	return VX6_OK;
}
