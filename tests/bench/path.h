/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets per second through a relay program between two links, on one core that also makes the
 * packets and takes them in: Turnpike, `bare` and `wire` alternating. See path.c for the method.
 */
#ifndef TURNPIKE_TESTS_PATH_H
#define TURNPIKE_TESTS_PATH_H

#include <stdint.h>

#include "samples.h"
#include "world.h"

#define PATH_ROUNDS  15
#define PATH_PACKETS 150000 /* in each timed run */

/* X(constant, name) */
#define PATH_WAYS(X)                                                            \
	X(UP_ACROSS, "ChannelData -> UDP 4-4, in one interface, out another")   \
	X(DOWN_ACROSS, "UDP -> ChannelData 4-4, in one interface, out another") \
	X(UP_BACK, "ChannelData -> UDP 4-4, in and out one interface")

enum path_way {
#define X(constant, name) PATH_##constant,
	PATH_WAYS(X)
#undef X
	PATH_WAY_MAX,
};

struct path_result {
	struct samples packets_per_second;
	struct samples of_bare, of_wire; /* ratio of packets per second in the same round */
	uint64_t sent, arrived;
	uint64_t counted; /* by Turnpike's own counter; 0 of the others */
};

struct path_results {
	struct path_result result[PATH_WAY_MAX][WORLD_RELAY_MAX];
	int skipped; /* -errno if the kernel has no live frames (before Linux 5.18), else 0 */
};

const char *path_way_name(enum path_way way);
/* 0, or -errno after a message. */
int path_measure(const struct world *world, struct path_results *ret);

#endif
