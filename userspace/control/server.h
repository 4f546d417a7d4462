/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's server side: a local Unix socket (mode 0660, in a folder made 0755), one
 * JSON request per line, answered by a handler. Knows nothing of what is answered. Runs in a
 * libevent base.
 */
#ifndef TURNPIKE_CONTROL_SERVER_H
#define TURNPIKE_CONTROL_SERVER_H

#include <event2/event.h>
#include <jansson.h>

#include "turnpike/control.h"

#define CONTROL_CONNECTIONS_MAX 16
#define CONTROL_PENDING_MAX	(64u << 20)
#define CONTROL_IDLE_MS		30000

struct control_server;

/*
 * Answers one command. Returns a new reference to the result, which the server takes, or NULL
 * with *ret_error (a string literal) set.
 */
typedef json_t *(*control_handler)(void *ctx, enum control_command command, const json_t *request,
				   const char **ret_error);

/*
 * A socket file that no living daemon answers on is replaced; a file that is no socket is not.
 * Returns 0; -EADDRINUSE if a daemon answers; -EEXIST for a file that is no socket; or another
 * -errno of making the folder or the socket.
 */
int control_server_open(struct event_base *base, const char *path, control_handler handler,
			void *ctx, struct control_server **ret);
/* Another idle limit than CONTROL_IDLE_MS, for connections from now on. */
void control_server_set_idle(struct control_server *server, unsigned int idle_ms);
/*
 * Closes every connection and removes the socket file, and the folder if the server made it and
 * nothing else is in it. Takes NULL.
 */
void control_server_close(struct control_server **server);

#endif
