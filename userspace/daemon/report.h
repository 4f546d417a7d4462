/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon tells operators: answers to the control socket's commands, collected from the
 * workers and the kernel. Shapes: turnpike/control.h.
 */
#ifndef TURNPIKE_DAEMON_REPORT_H
#define TURNPIKE_DAEMON_REPORT_H

#include <jansson.h>

#include "daemon/worker.h"
#include "turnpike/control.h"

struct report_context {
	const struct config *config;
	const struct plan *plan;
	const struct kernel *kernel;
	const char *kernel_reason; /* why there is no kernel path; empty if there is */
	struct worker *const *workers;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
};

/* A control_handler; ctx is a struct report_context. */
json_t *report_answer(void *ctx, enum control_command command, const json_t *request,
		      const char **ret_error);

#endif
