/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's client side, for turnpikectl and the daemon's check for a running twin.
 * Blocks, with a limit on time and on the size of an answer.
 */
#ifndef TURNPIKE_CONTROL_CLIENT_H
#define TURNPIKE_CONTROL_CLIENT_H

#include <jansson.h>

#include "turnpike/control.h"

#define CONTROL_ERROR_MAX  256
#define CONTROL_TIMEOUT_MS 10000

/*
 * Asks one command and waits up to 10 s for its answer. Returns 0 with a new reference to the
 * result; -errno if there is no daemon to ask; -EPROTO if it answered with an error or nonsense.
 * The text names the socket and the reason.
 */
int control_ask(const char *path, enum control_command command, json_t **ret,
		char ret_error[static CONTROL_ERROR_MAX]);

/* The same with another limit: for all of it, from connecting to the answer's last byte. */
int control_ask_within(const char *path, enum control_command command, int timeout_ms, json_t **ret,
		       char ret_error[static CONTROL_ERROR_MAX]);

#endif
