/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_ABI_KIT_H
#define VX6_TESTS_SUPPORT_ABI_KIT_H

/* abi_kit: a good message of each type that the planes have for each other,
 * with something in every field that may have something. */

#include <stdint.h>

#include "dataplane/abi/abi.h"

#define ABI_KIT_TYPES 26u

extern const uint8_t abi_kit_types[ABI_KIT_TYPES];

/* abi_kit_good makes one of a type in abi_kit_types; it passes abi_check. */
struct abi_msg abi_kit_good(unsigned type);

#endif
