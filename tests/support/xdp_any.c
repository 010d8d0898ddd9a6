/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/xdp_any.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

int xdp_any_program(const char *name, int verdict)
{
	const struct bpf_insn insn[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", insn,
			       VX6_COUNT(insn), NULL);

	return fd < 0 ? -1 : fd;
}
