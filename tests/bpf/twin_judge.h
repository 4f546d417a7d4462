/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict of the differential test: whether what the kernel did with a packet is what the
 * daemon would have done.
 */
#ifndef TURNPIKE_TESTS_TWIN_JUDGE_H
#define TURNPIKE_TESTS_TWIN_JUDGE_H

#include "turnpike/flow.h"
#include "twin_daemon.h"
#include "twin_packet.h"

struct twin_result {
	uint32_t action; /* enum xdp_action */
	enum flow_verdict verdict;
	size_t len;
	uint8_t frame[TWIN_FRAME_MAX + 512];
};

/* NULL, or what is wrong: a sentence that lives for ever. */
const char *twin_judge(struct twin_world *world, const struct twin_packet *packet,
		       const struct twin_result *result, const struct twin_outcome *daemon);

/*
 * Whether the kernel path must carry this packet itself, and may not leave it to the daemon. Here
 * and nowhere else it is stated what the program is able to.
 */
bool twin_eligible(struct twin_world *world, const struct twin_packet *packet,
		   const struct twin_outcome *daemon);

#endif
