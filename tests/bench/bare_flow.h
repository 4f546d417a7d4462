/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flows of `bare`: a channel's way as Turnpike has it, with all that can be computed before.
 */
#ifndef TURNPIKE_TESTS_BARE_FLOW_H
#define TURNPIKE_TESTS_BARE_FLOW_H

#include <stdint.h>

#include "bench.h"
#include "bench.skel.h"
#include "kernel/flow_table.h"

/*
 * Adds the flow if `bare` can carry it: a channel, up or down, within one family and to a peer
 * outside; else does nothing. ifindex 0: back by the interface it comes in by. 0 or -errno.
 */
int bare_flow_add(const struct bench_bpf *bench, const struct flow_spec *spec, uint32_t ifindex);

#endif
