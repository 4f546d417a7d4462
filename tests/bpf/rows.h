/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One row of an XDP test: what is in the maps, a packet, what must become of it. A row is tried
 * for both families and both directions unless it says otherwise, so that the twins cannot rot
 * apart.
 */
#ifndef TURNPIKE_TESTS_ROWS_H
#define TURNPIKE_TESTS_ROWS_H

#include "base/macros.h"
#include "rig.h"

/* A row that names no verdict is carried: to_peer or to_client by its direction. */
#define ROW_CARRIED FLOW_VERDICT_TO_PEER

enum row_direction {
	ROW_BOTH_WAYS,
	ROW_TO_PEER,
	ROW_TO_CLIENT,
};

struct row {
	const char *what;
	uint8_t family; /* enum flow_family; 0: both */
	enum row_direction direction;
	/* Changes to what rig_flow and rig_arriving make. */
	void (*arrange)(const struct rig *rig, struct rig_flow *flow);
	int size; /* of data: 0 is 100 bytes, -1 none */
	uint8_t padding, trailer, traffic_class;
	int ttl; /* 0 is 64, -1 is 0 */
	bool may_fragment;
	enum frame_sum sum;
	bool bad_header;
	struct frame_patch patches[FRAME_PATCHES];
	enum flow_verdict verdict;
};

/*
 * Runs one packet and compares action, every byte, every counter and every slot's traffic. A
 * packet that is passed up is the one that came.
 */
void rows_check(struct rig *rig, const struct rig_flow *flow, const struct frame *arriving,
		enum flow_verdict verdict);
/* Each row for each family and direction it is for. */
void rows_run(struct rig *rig, const struct row *rows, size_t count);

#define IPV4_ONLY  .family = FLOW_IPV4
#define IPV6_ONLY  .family = FLOW_IPV6
#define PATCH(...) .patches = {{__VA_ARGS__}}

/* The tables, each a test of its own; state is a struct rig. */
void every_flow_is_carried_byte_for_byte(void **state);
void unusual_packets_are_passed_up(void **state);
void packets_of_no_live_flow_are_passed_up(void **state);
void packets_that_may_not_leave_are_passed_up(void **state);
void every_path_is_carried_byte_for_byte(void **state);
void packets_that_a_path_refuses_are_passed_up(void **state);
void uncommon_send_indications_are_passed_up(void **state);
void data_over_the_bandwidth_is_dropped(void **state);
void a_burst_is_let_through(void **state);
void no_limit_limits_nothing(void **state);
void padding_without_tailroom_is_left_to_the_daemon(void **state);

/* Sweeps over every path. */
void every_size_is_carried_on_every_path(void **state);
void a_frame_cut_anywhere_is_passed_up_on_every_path(void **state);
void a_send_indication_cut_anywhere_is_passed_up(void **state);
void a_send_indication_of_any_attribute_is_never_misread(void **state);
void checksums_turn_over_rightly_on_every_path(void **state);
void transaction_ids_differ(void **state);

#define ROWS_RUN(state, rows) rows_run(*(state), rows, ARRAY_SIZE(rows))

#endif
