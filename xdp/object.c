/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdp/object.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <xdp/libxdp.h>

/* The Makefile compiles it first and tells the assembler where it is. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	".globl vx6_classifier\n"
	"vx6_classifier:\n"
	".incbin \"xdp/classifier.bpf.o\"\n"
	".balign 8\n"
	".globl vx6_classifier_len\n"
	"vx6_classifier_len: .quad . - vx6_classifier\n"
	".popsection\n");

extern const char vx6_classifier[];
extern const uint64_t vx6_classifier_len;

static const char *const shared_maps[] = { "vx6_config", "vx6_local",
					   "vx6_link", "vx6_chance" };

static int bpf_says(enum libbpf_print_level level, const char *text, va_list ap)
{
	(void)level;
	(void)text;
	(void)ap;
	return 0;
}

static int xdp_says(enum libxdp_print_level level, const char *text, va_list ap)
{
	(void)level;
	(void)text;
	(void)ap;
	return 0;
}

void object_silence(void)
{
	libbpf_set_print(bpf_says);
	libxdp_set_print(xdp_says);
}

static int share(struct bpf_object *o, const struct bpf_object *shared)
{
	for (unsigned i = 0; i < VX6_COUNT(shared_maps); i++) {
		struct bpf_map *m =
			bpf_object__find_map_by_name(o, shared_maps[i]);
		int fd = object_map(shared, shared_maps[i]);

		if (m == NULL || fd < 0)
			return ENOENT;
		if (bpf_map__reuse_fd(m, fd) != 0)
			return errno;
	}
	return 0;
}

static int make_room(struct bpf_object *o, uint32_t links)
{
	static const char *const by_link[] = { "vx6_link", "vx6_chance" };

	for (unsigned i = 0; i < VX6_COUNT(by_link); i++) {
		struct bpf_map *m = bpf_object__find_map_by_name(o, by_link[i]);

		if (m == NULL)
			return ENOENT;
		if (bpf_map__set_max_entries(m, links) != 0)
			return errno;
	}
	return 0;
}

int object_open(struct bpf_object **out, const struct bpf_object *shared,
		uint32_t links)
{
	struct bpf_object_open_opts opts = { .sz = sizeof(opts),
					     .object_name = "vx6" };
	struct bpf_object *o;
	int err;

	o = bpf_object__open_mem(vx6_classifier, vx6_classifier_len, &opts);
	if (o == NULL)
		return errno;
	err = shared != NULL ? share(o, shared) : make_room(o, links);
	if (err != 0)
		bpf_object__close(o);
	else
		*out = o;
	return err;
}

/* libbpf itself lifts RLIMIT_MEMLOCK on kernels that charge maps to it. */
int object_load(struct bpf_object *o)
{
	return bpf_object__load(o) == 0 ? 0 : errno;
}

int object_map(const struct bpf_object *o, const char *name)
{
	const struct bpf_map *m = bpf_object__find_map_by_name(o, name);

	return m == NULL ? -1 : bpf_map__fd(m);
}

int object_configure(const struct bpf_object *o, const struct vx6_xdp_config *c)
{
	uint32_t zero = 0;
	int fd = object_map(o, "vx6_config");

	return bpf_map_update_elem(fd, &zero, c, BPF_ANY) == 0 ? 0 : errno;
}
