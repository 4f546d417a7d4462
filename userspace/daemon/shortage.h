/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells operators that something the configuration limits ran out, with the remedy. Watches the
 * state machine's counters, as that one never logs. Decides nothing.
 */
#ifndef TURNPIKE_DAEMON_SHORTAGE_H
#define TURNPIKE_DAEMON_SHORTAGE_H

#include "base/log.h"
#include "turn/turn.h"

/* What can run out. */
enum shortage_kind {
	SHORTAGE_PORTS_IPV4,
	SHORTAGE_PORTS_IPV6,
	SHORTAGE_ALLOCATIONS,
	SHORTAGE_MAX,
};

struct shortage {
	uint16_t first_port, last_port;
	uint32_t allocations_max;
	struct {
		uint64_t told; /* the counter at the last line */
		struct log_limit limit;
	} kinds[SHORTAGE_MAX];
};

void shortage_init(struct shortage *shortage, uint16_t first_port, uint16_t last_port,
		   uint32_t allocations_max);
/* A line for each thing that ran out since the last line about it, one a minute at most. */
void shortage_report(struct shortage *shortage, const struct turn_counters *counters,
		     uint64_t now_ns);

#endif
