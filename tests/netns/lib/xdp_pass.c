/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A program that passes everything: on veth, frames sent by XDP arrive only at an end that has one.
 */
#include <linux/bpf.h>

int xdp_pass(struct xdp_md *ctx) __attribute__((section("xdp"), used));
int xdp_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
