/* SPDX-License-Identifier: GPL-2.0-or-later */
/* classifier: packets in, verdict and reason out, in the running kernel.
 *
 * Method: BPF_PROG_TEST_RUN on packets that are built from shapes; each case
 * names the one counter that must move, and the verdict follows from the
 * list in xdp/abi.h.  No packet may come out changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/support/xdp_must.h"

#define ALL(f) must_all(&kit, f, VX6_COUNT(f))

static void cells(void **state)
{
	static const struct fixture f[] = {
		{ "v6",                VX6_XDP_CELL,        { 0 }                            },
		{ "v4",                VX6_XDP_CELL,        { .v4 = true }                   },
		{ "highest index",     VX6_XDP_CELL,        { .link = XK_LINKS - 1 }         },
		{ "version 0",         VX6_XDP_BAD_VERSION, { .version_add = 255 }           },
		{ "version 2",         VX6_XDP_BAD_VERSION, { .version_add = 1 }             },
		{ "long header",       VX6_XDP_BAD_VERSION, { .version_add = 0xbf }          },
		{ "version v4",
                 VX6_XDP_BAD_VERSION,		       { .v4 = true, .version_add = 1 } },
		{ "index 0",           VX6_XDP_NO_LINK,     { .link = -1 }                   },
		{ "unused index",      VX6_XDP_NO_LINK,     { .link = 4 }                    },
		{ "index of the end",  VX6_XDP_NO_LINK,     { .link = XK_LINKS }             },
		{ "first byte of it",  VX6_XDP_NO_LINK,     { .link = 0x010001 }             },
		{ "second byte of it", VX6_XDP_NO_LINK,     { .link = 0x000101 }             },
		{ "last index",        VX6_XDP_NO_LINK,     { .link = 0xffffff }             },
	};

	(void)state;
	must_need();
	ALL(f);
}

static void sizes(void **state)
{
	static const struct fixture f[] = {
		{ "none",       VX6_XDP_BAD_SIZE, { .len = -1 }                         },
		{ "1",          VX6_XDP_BAD_SIZE, { .len = 1 }                          },
		{ "3",          VX6_XDP_BAD_SIZE, { .len = 3 }                          },
		{ "4",          VX6_XDP_BAD_SIZE, { .len = 4 }                          },
		{ "min - 1",    VX6_XDP_BAD_SIZE, { .len = XK_LEN_MIN - 1 }             },
		{ "min",        VX6_XDP_CELL,     { .len = XK_LEN_MIN }                 },
		{ "min + 1",    VX6_XDP_CELL,     { .len = XK_LEN_MIN + 1 }             },
		{ "max - 1",    VX6_XDP_CELL,     { .len = XK_LEN_MAX - 1 }             },
		{ "max",        VX6_XDP_CELL,     { .len = XK_LEN_MAX }                 },
		{ "max + 1",    VX6_XDP_BAD_SIZE, { .len = XK_LEN_MAX + 1 }             },
		{ "v4 none",    VX6_XDP_BAD_SIZE, { .v4 = true, .len = -1 }             },
		{ "v4 min - 1",
                 VX6_XDP_BAD_SIZE,                { .v4 = true, .len = XK_LEN_MIN - 1 } },
		{ "v4 min",     VX6_XDP_CELL,     { .v4 = true, .len = XK_LEN_MIN }     },
		{ "v4 max",     VX6_XDP_CELL,     { .v4 = true, .len = XK_LEN_MAX }     },
		{ "v4 max + 1",
                 VX6_XDP_BAD_SIZE,                { .v4 = true, .len = XK_LEN_MAX + 1 } },
	};

	(void)state;
	must_need();
	ALL(f);
}

static void tags(void **state)
{
	static const struct fixture f[] = {
		{ "one",      VX6_XDP_CELL,  { .tags = 1 }             },
		{ "two",      VX6_XDP_CELL,  { .tags = 2 }             },
		{ "three",    VX6_XDP_OTHER, { .tags = 3 }             },
		{ "one v4",   VX6_XDP_CELL,  { .v4 = true, .tags = 1 } },
		{ "two v4",   VX6_XDP_CELL,  { .v4 = true, .tags = 2 } },
		{ "three v4", VX6_XDP_OTHER, { .v4 = true, .tags = 3 } },
	};

	(void)state;
	must_need();
	ALL(f);
}

static void lengths(void **state)
{
	static const struct fixture f[] = {
		{ "padded",           VX6_XDP_CELL,      { .pad = 1 }                            },
		{ "padded more",      VX6_XDP_CELL,      { .pad = 300 }                          },
		{ "v4 padded",        VX6_XDP_CELL,      { .v4 = true, .pad = 18 }               },
		{ "udp + 1",          VX6_XDP_TRUNCATED, { .udp_add = 1 }                        },
		{ "udp - 1",          VX6_XDP_TRUNCATED, { .udp_add = -1 }                       },
		{ "udp 0",            VX6_XDP_TRUNCATED, { .udp_add = -108 }                     },
		{ "ip + 1",           VX6_XDP_TRUNCATED, { .ip_add = 1 }                         },
		{ "ip - 1",           VX6_XDP_TRUNCATED, { .ip_add = -1 }                        },
		{ "ip 0",             VX6_XDP_TRUNCATED, { .ip_add = -108 }                      },
		{ "both 7",
                 VX6_XDP_TRUNCATED,		      { .ip_add = -101, .udp_add = -101 }     },
		{ "both + 1",
                 VX6_XDP_TRUNCATED,		      { .ip_add = 1, .udp_add = 1 }           },
		{ "both + 1, padded",
                 VX6_XDP_CELL,			   { .ip_add = 1, .udp_add = 1, .pad = 1 } },
		{ "both + 2, padded",
                 VX6_XDP_TRUNCATED,		      { .ip_add = 2, .udp_add = 2, .pad = 1 } },
		{ "both to the end",
                 VX6_XDP_TRUNCATED,		      { .ip_add = 65427, .udp_add = 65427 }   },
		{ "v4 udp + 1",
                 VX6_XDP_TRUNCATED,		      { .v4 = true, .udp_add = 1 }            },
		{ "v4 ip + 1",        VX6_XDP_TRUNCATED, { .v4 = true, .ip_add = 1 }             },
		{ "v4 ip 19",
                 VX6_XDP_TRUNCATED,		      { .v4 = true, .ip_add = -109 }          },
		{ "v4 ip 0",
                 VX6_XDP_TRUNCATED,		      { .v4 = true, .ip_add = -128 }          },
	};

	(void)state;
	must_need();
	ALL(f);
}

static const uint8_t e_options[] = { 0 }, e_routing[] = { 43 },
		     e_last[] = { 60 }, e_all[] = { 0, 60, 43, 60 },
		     e_five[] = { 0, 60, 43, 60, 60 }, e_frag[] = { 44 },
		     e_deep[] = { 0, 43, 44 }, e_auth[] = { 51 },
		     e_none[] = { 59 };

/* The kernel's socket on the data port gets what it takes apart. */
static void behind_extras(void **state)
{
	static const struct fixture f[] = {
		{ "options",
                 VX6_XDP_ODD,			     { .extra = e_options, .extra_cnt = 1 }               },
		{ "routing",
                 VX6_XDP_ODD,			     { .extra = e_routing, .extra_cnt = 1 }               },
		{ "destination",
                 VX6_XDP_ODD,			     { .extra = e_last, .extra_cnt = 1 }                  },
		{ "four",                  VX6_XDP_ODD,   { .extra = e_all, .extra_cnt = 4 }                   },
		{ "five",                  VX6_XDP_OTHER, { .extra = e_five, .extra_cnt = 5 }                  },
		{ "authenticated",
                 VX6_XDP_OTHER,			   { .extra = e_auth, .extra_cnt = 1 }                  },
		{ "nothing next",
                 VX6_XDP_OTHER,			   { .extra = e_none, .extra_cnt = 1 }                  },
		{ "four to control",
                 VX6_XDP_CONTROL,			 { .extra = e_all, .extra_cnt = 4, .dport = XK_CTRL } },
		{ "four, elsewhere",
                 VX6_XDP_OTHER,			   { .extra = e_all, .extra_cnt = 4, .dst = XK_PEER6 }  },
		{ "v4 option",             VX6_XDP_ODD,   { .v4 = true, .extra_cnt = 1 }                       },
		{ "v4 options",            VX6_XDP_ODD,   { .v4 = true, .extra_cnt = 10 }                      },
		{ "v4 options, no cell",
                 VX6_XDP_ODD,			     { .v4 = true, .extra_cnt = 10, .version_add = 7 }    },
		{ "v4 options, elsewhere",
                 VX6_XDP_OTHER,			   { .v4 = true, .extra_cnt = 10, .dst = XK_PEER4 }     },
	};

	(void)state;
	must_need();
	ALL(f);
}

static void fragments(void **state)
{
	static const struct fixture f[] = {
		{ "first",
                 VX6_XDP_ODD,		       { .extra = e_frag, .extra_cnt = 1, .frag = 0x2000 } },
		{ "atomic",          VX6_XDP_ODD,   { .extra = e_frag, .extra_cnt = 1 }                 },
		{ "later",
                 VX6_XDP_OTHER,		     { .extra = e_frag, .extra_cnt = 1, .frag = 0x2001 } },
		{ "last",
                 VX6_XDP_OTHER,		     { .extra = e_frag, .extra_cnt = 1, .frag = 0x1fff } },
		{ "first, deep",
                 VX6_XDP_ODD,		       { .extra = e_deep, .extra_cnt = 3, .frag = 0x2000 } },
		{ "later, deep",
                 VX6_XDP_OTHER,		     { .extra = e_deep, .extra_cnt = 3, .frag = 0x0100 } },
		{ "v4 first",        VX6_XDP_ODD,   { .v4 = true, .frag = 0x2000 }                      },
		{ "v4 later",        VX6_XDP_OTHER, { .v4 = true, .frag = 0x2001 }                      },
		{ "v4 last",         VX6_XDP_OTHER, { .v4 = true, .frag = 0x1fff }                      },
		{ "v4 unfragmented",
                 VX6_XDP_CELL,		      { .v4 = true, .frag = 0x4000 }                      },
	};

	(void)state;
	must_need();
	ALL(f);
}

static void not_for_us(void **state)
{
	static const struct fixture f[] = {
		{ "other address",        VX6_XDP_OTHER, { .dst = "fd00:5::2" }                   },
		{ "all nodes",            VX6_XDP_OTHER, { .dst = "ff02::1" }                     },
		{ "v4 other address",
                 VX6_XDP_OTHER,			  { .v4 = true, .dst = "10.5.0.2" }        },
		{ "v4 broadcast",
                 VX6_XDP_OTHER,			  { .v4 = true, .dst = "255.255.255.255" } },
		{ "mapped",               VX6_XDP_OTHER, { .dst = "::ffff:" XK_SELF4 }            },
		{ "from mapped",
                 VX6_XDP_OTHER,			  { .src = "::ffff:" XK_PEER4, .link = 2 } },
		{ "port - 1",             VX6_XDP_OTHER, { .dport = 4241 }                        },
		{ "port + 1",             VX6_XDP_OTHER, { .dport = 4245 }                        },
		{ "DNS",                  VX6_XDP_OTHER, { .dport = 53 }                          },
		{ "from our port",
                 VX6_XDP_OTHER,			  { .sport = XK_DATA, .dport = 5353 }      },
		{ "TCP to the data port", VX6_XDP_OTHER, { .tcp = 0x02 }                          },
		{ "TCP",                  VX6_XDP_OTHER, { .tcp = 0x10, .dport = 22 }             },
		{ "v4 TCP",
                 VX6_XDP_OTHER,			  { .v4 = true, .tcp = 0x10, .dport = 22 } },
		{ "ICMP",                 VX6_XDP_OTHER, { .v4 = true, .proto = 1 }               },
		{ "ICMPv6",               VX6_XDP_OTHER, { .proto = 58 }                          },
		{ "UDP-Lite",             VX6_XDP_OTHER, { .proto = 136 }                         },
		{ "tunnel",               VX6_XDP_OTHER, { .proto = 41 }                          },
		{ "control elsewhere",
                 VX6_XDP_OTHER,			  { .dst = XK_PEER6, .dport = XK_CTRL }    },
	};

	(void)state;
	must_need();
	ALL(f);
}

/* What is not IP, or says that it is and is not. */
static void no_ip(void **state)
{
	static const struct shape six = { 0 }, four = { .v4 = true };
	static struct pkt p;

	(void)state;
	must_need();
	for (unsigned type = 0; type < 65536; type += 17) {
		pkt_make(&p, &six);
		p.b[12] = (uint8_t)(type >> 8);
		p.b[13] = (uint8_t)type;
		if (type != 0x86dd)
			must_be(&kit, "type", &p, VX6_XDP_OTHER);
	}
	pkt_make(&p, &four);
	p.b[12] = 0x08, p.b[13] = 0x06;
	must_be(&kit, "ARP", &p, VX6_XDP_OTHER);
	for (unsigned v = 0; v < 256; v++) {
		pkt_make(&p, &four);
		p.b[14] = (uint8_t)v;
		if (v >> 4 != 4 || (v & 15) < 5)
			must_be(&kit, "version, v4", &p, VX6_XDP_OTHER);
		pkt_make(&p, &six);
		p.b[14] = (uint8_t)v;
		must_be(&kit, "version", &p,
			v >> 4 == 6 ? VX6_XDP_CELL : VX6_XDP_OTHER);
	}
}

/* Cut at every byte.  `seen`: from so many bytes on it is recognised, and
 * is `cut` until it is whole. */
static void cut(const char *name, const struct shape *s, size_t seen,
		unsigned part, unsigned whole)
{
	static struct pkt p;
	size_t len;

	pkt_make(&p, s);
	len = p.len;
	for (p.len = 14; p.len < len; p.len++)
		must_be(&kit, name, &p, p.len < seen ? VX6_XDP_OTHER : part);
	must_be(&kit, name, &p, whole);
}

static void truncated(void **state)
{
	static const struct shape six = { 0 }, four = { .v4 = true },
				  tagged = { .tags = 2 },
				  odd = { .v4 = true, .extra_cnt = 3 },
				  deep = { .extra = e_all, .extra_cnt = 4 },
				  ctrl = { .dport = XK_CTRL },
				  tcp = { .dport = XK_CTRL, .tcp = 0x10 };

	(void)state;
	must_need();
	cut("v6", &six, 14 + 40 + 8, VX6_XDP_TRUNCATED, VX6_XDP_CELL);
	cut("v4", &four, 14 + 20 + 8, VX6_XDP_TRUNCATED, VX6_XDP_CELL);
	cut("tagged", &tagged, 22 + 40 + 8, VX6_XDP_TRUNCATED, VX6_XDP_CELL);
	cut("v4 options", &odd, 14 + 32 + 4, VX6_XDP_ODD, VX6_XDP_ODD);
	cut("extras", &deep, 14 + 40 + 48 + 4, VX6_XDP_ODD, VX6_XDP_ODD);
	cut("control", &ctrl, 14 + 40 + 4, VX6_XDP_CONTROL, VX6_XDP_CONTROL);
	cut("TCP", &tcp, 14 + 40 + 4, VX6_XDP_CONTROL, VX6_XDP_CONTROL);
}

static void without_socket(void **state)
{
	static const struct fixture f[] = {
		{ "cell",    VX6_XDP_NO_SOCKET, { 0 }           },
		{ "v4 cell", VX6_XDP_NO_SOCKET, { .v4 = true }  },
		{ "chance",  VX6_XDP_NO_SOCKET, { .sport = 9 }  },
		{ "no link", VX6_XDP_NO_LINK,   { .link = 4 }   },
		{ "other",   VX6_XDP_OTHER,     { .dport = 53 } },
	};
	struct xk bare;

	(void)state;
	must_need();
	assert_true(xk_open(&bare, false));
	must_all(&bare, f, VX6_COUNT(f));
	xk_close(&bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells),
		cmocka_unit_test(sizes),
		cmocka_unit_test(tags),
		cmocka_unit_test(lengths),
		cmocka_unit_test(behind_extras),
		cmocka_unit_test(fragments),
		cmocka_unit_test(not_for_us),
		cmocka_unit_test(no_ip),
		cmocka_unit_test(truncated),
		cmocka_unit_test(without_socket),
	};

	return cmocka_run_group_tests(tests, must_set_up, must_tear_down);
}
