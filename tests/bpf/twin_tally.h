/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run of the differential test has covered: packets by verdict and kind, and every form
 * and pair of families that the kernel path carried.
 */
#ifndef TURNPIKE_TESTS_TWIN_TALLY_H
#define TURNPIKE_TESTS_TWIN_TALLY_H

#include "twin_judge.h"

/* Ways, forms and families in and out: see twin_tally.c. */
#define TWIN_FORMS 48

/* What the daemon did with the packets of one verdict. */
struct twin_fate {
	uint64_t packets, relayed, dropped, unknown;
};

struct twin_tally {
	struct twin_fate fates[FLOW_VERDICT_MAX];
	uint64_t kinds[TWIN_KIND_MAX];
	uint64_t carried[TWIN_FORMS];
	uint64_t eligible;
	uint64_t damaged_sums; /* carried with their wrong checksum */
	uint64_t spoofed;      /* carried from an IPv4 address of this host */
};

void twin_tally_add(struct twin_tally *tally, struct twin_world *world,
		    const struct twin_packet *packet, const struct twin_result *result,
		    const struct twin_outcome *daemon);
/* Returns how many forms were never carried. */
size_t twin_tally_print(const struct twin_tally *tally);

#endif
