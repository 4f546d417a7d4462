/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel path and netlink as a test plays them: a flow table that is an array, one hop for
 * each destination. It fails the test when a live slot leads to a hop that nobody holds.
 */
#ifndef TURNPIKE_TESTS_PLAYED_KERNEL_H
#define TURNPIKE_TESTS_PLAYED_KERNEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "kernel/flow_table.h"
#include "net/net.h"

#define SLOTS 512
#define HOPS  256

struct flow_table {
	struct {
		bool live;
		struct flow_spec spec;
		struct flow_counter traffic;
	} slots[SLOTS];
	uint32_t size, used;
	int next_error;
};

struct net {
	struct net_events events;
	unsigned int references[HOPS];
	uint32_t epoch; /* routes lead elsewhere in another one */
	bool no_routes;
};

extern struct flow_table table;
extern struct net net;
extern bool null_kernel;

struct played_bucket {
	uint32_t id;
	uint64_t bits_per_second;
	uint32_t used_before; /* slots in use when it was set */
	unsigned int count;
};

extern struct played_bucket bucket;

/* Everything as new. */
void played_reset(void);
uint32_t hop_to(const struct addr *dst);
/* To hops, all together. */
unsigned int references(void);

#endif
