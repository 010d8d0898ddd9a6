/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_VECTORS_LOAD_H
#define VX6_TESTS_VECTORS_LOAD_H

/* load: test vectors from tests/vectors/NAME.json, for cmocka tests.
 *
 * Bytes are hexadecimal strings.  What is missing or too long fails the
 * test that asks, by name: a vector that got lost must not pass. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/compiler.h"

/* vec_load reads a file; the caller frees it with json_decref. */
VX6_UNUSED static json_t *vec_load(const char *name)
{
	const char *top = getenv("VX6_TOP");
	char path[4096];
	json_error_t err;
	json_t *root;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s.json",
		 top != NULL ? top : ".", name);
	root = json_load_file(path, 0, &err);
	if (root == NULL)
		fail_msg("%s: line %d: %s", path, err.line, err.text);
	return root;
}

/* vec_list returns an array that is not empty. */
VX6_UNUSED static const json_t *vec_list(const json_t *obj, const char *key)
{
	const json_t *list = json_object_get(obj, key);

	if (!json_is_array(list) || json_array_size(list) == 0)
		fail_msg("no list called %s", key);
	return list;
}

VX6_UNUSED static const char *vec_text(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	if (text == NULL)
		fail_msg("no string called %s", key);
	return text != NULL ? text : "";
}

VX6_UNUSED static uint64_t vec_int(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		fail_msg("no number called %s", key);
	return (uint64_t)json_integer_value(v);
}

static unsigned vec_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10u;
	fail_msg("'%c' is no hexadecimal digit", c);
	return 0;
}

/* vec_bytes writes at most max bytes to out and returns how many. */
VX6_UNUSED static size_t vec_bytes(const json_t *obj, const char *key,
				   uint8_t *out, size_t max)
{
	const char *hex = vec_text(obj, key);
	size_t n = strlen(hex) / 2;

	if (strlen(hex) % 2 != 0 || n > max)
		fail_msg("%s: %zu digits do not fit", key, strlen(hex));
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(vec_nibble(hex[2 * i]) << 4 |
				   vec_nibble(hex[2 * i + 1]));
	return n;
}

/* vec_exact is vec_bytes for a field of exactly len bytes. */
VX6_UNUSED static void vec_exact(const json_t *obj, const char *key,
				 uint8_t *out, size_t len)
{
	if (vec_bytes(obj, key, out, len) != len)
		fail_msg("%s is not %zu bytes", key, len);
}

#endif
