/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From an accepted Allocate to its answer, by way of the driver that binds the sockets.
 */
#ifndef TURNPIKE_TURN_OPEN_RELAY_H
#define TURNPIKE_TURN_OPEN_RELAY_H

#include "turn/state.h"

/* Asks for the socket of the family whose turn it is, or answers if none is left to open. */
void open_relay_next(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		     struct allocation *a, struct turn_actions *out);

/* The allocation has its relays: it begins to live, and the client learns of it. */
void open_relay_finish(struct turn *turn, const struct turn_now *now, struct allocation *a,
		       const struct envelope *envelope, struct turn_actions *out);

#endif
