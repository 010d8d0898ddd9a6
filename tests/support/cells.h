/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_CELLS_H
#define VX6_TESTS_SUPPORT_CELLS_H

/* cells: datagrams that pass for cells where nobody opens them, for cmocka
 * programs on a port.
 *
 *     port here -- cells_give ------> cells_took -- socket there
 *          |  <------ cells_send ----------------------'
 *          '- what port_rx had: cells_check
 *
 * Each begins as a cell of a link does (dataplane/wire/PROTOCOL.md); the
 * rest follows from its number, so that no two are alike.  What is not as it
 * should be fails the test. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/port/port.h"

#define CELLS_MOST 1500u /* bytes of one */

/* cells_make writes cell number no of a link, len bytes. */
VX6_NONNULL void cells_make(uint8_t *to, uint32_t link, uint16_t len,
			    uint32_t no);

/* cells_send sends it from a socket there; cells_check is that it came. */
VX6_NONNULL void cells_send(int fd, const struct vx6_addr *to, uint32_t link,
			    uint16_t len, uint32_t no);
VX6_NONNULL void cells_check(const uint8_t *data, size_t got, uint32_t link,
			     uint16_t len, uint32_t no);

/* cells_give gives it to the port; cells_took is that it came to a socket
 * there, from an address. */
VX6_NONNULL void cells_give(struct port *p, uint32_t link,
			    const struct vx6_addr *peer, uint16_t len,
			    uint32_t no);
VX6_NONNULL void cells_took(int fd, uint32_t link, uint16_t len, uint32_t no,
			    const struct vx6_addr *from);

#endif
