/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/cells.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sys/socket.h>

void cells_make(uint8_t *to, uint32_t link, uint16_t len, uint32_t no)
{
	to[0] = 1;
	to[1] = (uint8_t)(link >> 16);
	to[2] = (uint8_t)(link >> 8);
	to[3] = (uint8_t)link;
	for (unsigned i = 4; i < len; i++)
		to[i] = (uint8_t)(no * 7u + i * 13u);
}

void cells_send(int fd, const struct vx6_addr *to, uint32_t link, uint16_t len,
		uint32_t no)
{
	struct sockaddr_storage sa;
	socklen_t sl = vx6_addr_to(to, &sa);
	uint8_t cell[CELLS_MOST];

	assert_true(len <= sizeof(cell));
	cells_make(cell, link, len, no);
	assert_int_equal(sendto(fd, cell, len, 0, (struct sockaddr *)&sa, sl),
			 len);
}

void cells_check(const uint8_t *data, size_t got, uint32_t link, uint16_t len,
		 uint32_t no)
{
	uint8_t want[CELLS_MOST];

	assert_true(len <= sizeof(want));
	cells_make(want, link, len, no);
	assert_int_equal(got, len);
	assert_memory_equal(data, want, len);
}

void cells_give(struct port *p, uint32_t link, const struct vx6_addr *peer,
		uint16_t len, uint32_t no)
{
	struct net_frame *f = port_take(p);

	assert_non_null(f);
	cells_make(f->data, link, len, no);
	f->len = len;
	f->peer = *peer;
	f->link = link;
	port_tx(p, &f, 1);
}

void cells_took(int fd, uint32_t link, uint16_t len, uint32_t no,
		const struct vx6_addr *from)
{
	struct sockaddr_storage sa;
	socklen_t sl = sizeof(sa);
	struct vx6_addr a;
	uint8_t got[2048];
	ssize_t n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&sa,
			     &sl);

	assert_true(n >= 0);
	cells_check(got, (size_t)n, link, len, no);
	assert_int_equal(vx6_addr_from(&a, (struct sockaddr *)&sa), VX6_OK);
	assert_true(vx6_addr_eq(&a, from));
}
