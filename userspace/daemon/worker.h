/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: one thread with an event loop, its own sockets on every listening address, its own
 * state machine, its own kernel flows and netlink. Workers share nothing that a packet touches;
 * other threads reach one only through worker_call.
 */
#ifndef TURNPIKE_DAEMON_WORKER_H
#define TURNPIKE_DAEMON_WORKER_H

#include "daemon/conductor.h"
#include "daemon/plan.h"

struct worker;

struct worker_config {
	uint32_t index;
	const struct plan *plan;
	const struct turn_config *turn; /* copied */
	struct kernel *kernel;
	uint32_t next_hops; /* this worker's share */
	uint32_t buckets;   /* the same */
};

/* Opens everything, so that errors show here, and starts the thread. 0 or -errno. */
int worker_start(const struct worker_config *config, struct worker **ret);
/* Stops and joins the thread, closes and frees everything. Takes NULL. */
void worker_stop(struct worker **worker);

/* What a worker is made of, for use inside worker_call. */
struct worker_parts {
	uint32_t index;
	const struct turn *turn;
	const struct flows *flows;
	struct conductor *conductor;
};

/* Runs fn in the worker's thread and waits for it. 0, or -EIO if the worker is gone. */
int worker_call(struct worker *worker, void (*fn)(const struct worker_parts *parts, void *arg),
		void *arg);

#endif
