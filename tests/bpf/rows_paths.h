/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths: every way that data may take through the program, from a form and family into another,
 * by way of another allocation or not, with the slots that it needs.
 */
#ifndef TURNPIKE_TESTS_ROWS_PATHS_H
#define TURNPIKE_TESTS_ROWS_PATHS_H

#include "rig.h"

/* Which slot of a path is which; each has the number PATH_SLOT_FIRST and on. */
enum path_flow {
	PATH_FIRST,	 /* what the packet is found under */
	PATH_PERMISSION, /* of the peer that a Send indication names */
	PATH_SECOND,	 /* of the allocation that it is for */
	PATH_FLOWS,
};

#define PATH_SLOT_FIRST 3

struct path {
	enum flow_form from, to; /* to UDP: a peer; from UDP: its data */
	uint8_t from_family, relay_family, to_family;
	bool to_allocation;
	bool has[PATH_FLOWS];
	struct rig_flow flows[PATH_FLOWS];
	struct frame frame;	    /* as it arrives */
	struct frame_message shown; /* what an indication that leaves says */
};

/* Calls the check for each of the 48 paths; rig->doing names it. */
void paths_for_each(struct rig *rig, void (*check)(struct rig *rig, struct path *path));
/* The flow whose out leg and hop the packet leaves by, and the one that names its hop. */
struct rig_flow *path_last(struct path *path);
struct rig_flow *path_hop_flow(struct path *path);
enum flow_verdict path_verdict(const struct path *path);
uint32_t path_slots(const struct path *path); /* a bit for each whose traffic counts */

/* Bytes between UDP header and data, and behind the data, as it leaves. */
size_t path_growth(const struct path *path, size_t size);
size_t path_ip_len(const struct path *path, size_t size);

void path_install(struct rig *rig, struct path *path);
/* What becomes of the frame; random fields are taken from what came out. */
struct frame path_leaving(struct path *path, const struct frame *arriving,
			  const struct rig_result *result);
/* Installs, runs one packet, compares action, bytes, counters and traffic. */
void path_check(struct rig *rig, struct path *path, enum flow_verdict verdict);
/* The same without installing, for many packets in a row: counters are not looked at. */
void path_run(struct rig *rig, struct path *path, enum flow_verdict verdict);

#endif
