/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/full_node.h"

#include <string.h>

struct node_record full_node(const struct identity *who, uint32_t now)
{
	struct node_record n = { .name = "a23456789012-45",
				 .family = "f234567890123456789012345678-01",
				 .software = "vx6 9.9.99-rc1 (x86_64) ~~~~~~~",
				 .endpoint_cnt = NODE_ENDPOINTS_MAX,
				 .via_cnt = NODE_VIA_MAX,
				 .has_onion = true,
				 .has_next = true,
				 .owner_len = NODE_OWNER_MAX,
				 .roles = UINT32_MAX,
				 .suites = UINT32_MAX,
				 .capacity = UINT32_MAX };

	for (unsigned i = 0; i < NODE_ENDPOINTS_MAX; i++) {
		memset(n.endpoint[i].ip, (int)(0xf0 + i), 16);
		n.endpoint[i].control_port = (uint16_t)(65535 - i);
		n.endpoint[i].data_port = (uint16_t)(i == 0 ? 0 : 65000 + i);
		n.endpoint[i].transports = 3;
	}
	memset(n.via, 0x77, sizeof(n.via));
	memset(n.owner, 0x66, sizeof(n.owner));
	memcpy(n.enc_public, who->enc_public, 32);
	memset(n.onion.public_key, 0x11, 32);
	n.onion.from = now;
	n.onion.until = now + 86400;
	memset(n.next_onion.public_key, 0x22, 32);
	n.next_onion.from = n.onion.until;
	n.next_onion.until = UINT32_MAX;
	return n;
}
