/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned v = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10u + (unsigned)(*text - '0');
	}
	if (v > 65535)
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool parse_host(const char *host, bool bracket, uint8_t ip[16])
{
	if (bracket)
		return inet_pton(AF_INET6, host, ip) == 1;
	memcpy(ip, mapped, sizeof(mapped));
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	return inet_pton(AF_INET, host, ip + 12) == 1;
}

enum vx6_status vx6_addr_parse(struct vx6_addr *a, const char *text)
{
	struct vx6_addr got = { 0 };
	char host[INET6_ADDRSTRLEN];
	bool bracket = text[0] == '[';
	const char *from = text + (bracket ? 1 : 0);
	const char *colon = strrchr(text, ':');

	if (!colon || colon < from || !parse_port(colon + 1, &got.port))
		return VX6_MALFORMED;
	size_t len = (size_t)(colon - from);
	if (bracket && (len == 0 || from[--len] != ']'))
		return VX6_MALFORMED;
	if (len == 0 || len >= sizeof(host))
		return VX6_MALFORMED;
	memcpy(host, from, len);
	host[len] = '\0';
	if (!parse_host(host, bracket, got.ip))
		return VX6_MALFORMED;
	*a = got;
	return VX6_OK;
}

const char *vx6_addr_text(const struct vx6_addr *a, char out[VX6_ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN];

	if (vx6_addr_is_v4(a)) {
		inet_ntop(AF_INET, a->ip + 12, host, sizeof(host));
		snprintf(out, VX6_ADDR_TEXT, "%s:%u", host, a->port);
	} else {
		inet_ntop(AF_INET6, a->ip, host, sizeof(host));
		snprintf(out, VX6_ADDR_TEXT, "[%s]:%u", host, a->port);
	}
	return out;
}

enum vx6_status vx6_addr_from(struct vx6_addr *a, const struct sockaddr *sa)
{
	*a = (struct vx6_addr){ 0 };
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		memcpy(a->ip, &in6.sin6_addr, sizeof(a->ip));
		a->port = ntohs(in6.sin6_port);
		return VX6_OK;
	}
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		memcpy(a->ip, mapped, sizeof(mapped));
		memcpy(a->ip + 12, &in.sin_addr, 4);
		a->port = ntohs(in.sin_port);
		return VX6_OK;
	}
	return VX6_MALFORMED;
}

void vx6_addr_to6(const struct vx6_addr *a, struct sockaddr_in6 *sa)
{
	*sa = (struct sockaddr_in6){ .sin6_family = AF_INET6,
				     .sin6_port = htons(a->port) };
	memcpy(&sa->sin6_addr, a->ip, sizeof(a->ip));
}

socklen_t vx6_addr_to(const struct vx6_addr *a, struct sockaddr_storage *sa)
{
	*sa = (struct sockaddr_storage){ 0 };
	if (!vx6_addr_is_v4(a)) {
		struct sockaddr_in6 in6;

		vx6_addr_to6(a, &in6);
		memcpy(sa, &in6, sizeof(in6));
		return sizeof(in6);
	}
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(a->port) };

	memcpy(&in.sin_addr, a->ip + 12, 4);
	memcpy(sa, &in, sizeof(in));
	return sizeof(in);
}

bool vx6_addr_is_v4(const struct vx6_addr *a)
{
	return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

bool vx6_addr_is_loopback(const struct vx6_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (vx6_addr_is_v4(a))
		return a->ip[12] == 127;
	return memcmp(a->ip, one, sizeof(one)) == 0;
}

static bool is_private4(const uint8_t ip[4])
{
	return ip[0] == 0 || ip[0] == 10 || ip[0] == 127 || ip[0] >= 224 ||
	       (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	       (ip[0] == 192 && ip[1] == 168) ||
	       (ip[0] == 169 && ip[1] == 254) ||
	       (ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

/* An IPv4 address inside an IPv6 one that a gateway or a tunnel would turn
 * into the former: NAT64 (RFC 6052) and 6to4 (RFC 3056). */
static bool embeds_private4(const uint8_t ip[16])
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (memcmp(ip, nat64, sizeof(nat64)) == 0)
		return is_private4(ip + 12);
	return ip[0] == 0x20 && ip[1] == 0x02 && is_private4(ip + 2);
}

bool vx6_addr_is_private(const struct vx6_addr *a)
{
	static const uint8_t zero[12];

	if (vx6_addr_is_v4(a))
		return is_private4(a->ip + 12);
	return memcmp(a->ip, zero, sizeof(zero)) == 0 || /* ::/96 */
	       (a->ip[0] & 0xfe) == 0xfc || a->ip[0] == 0xff ||
	       (a->ip[0] == 0xfe && (a->ip[1] & 0x80) == 0x80) ||
	       embeds_private4(a->ip);
}
