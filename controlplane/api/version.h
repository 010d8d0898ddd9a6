/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_API_VERSION_H
#define VX6_CONTROLPLANE_API_VERSION_H

/* version: of the product, in one place.  `vx6 version`, status, and the
 * software field of node records say it. */

#define VX6_VERSION "0.1.0"

#endif
