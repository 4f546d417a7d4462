/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's own addresses change while calls go on: a virtual address moves here, a lease brings
 * another. A peer that becomes an address of this host is none any more, whatever was permitted
 * before.
 */
#include <errno.h>
#include <stdlib.h>

#include "turn/state.h"

int turn_set_own(struct turn *turn, const struct addr *own, size_t count)
{
	struct addr *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		copy[i] = own[i];
	free(turn->own);
	turn->own = copy;
	turn->config.peers.own = copy;
	turn->config.peers.own_count = count;
	return 0;
}

/* The relay's own addresses stay peers: which of their ports are is asked with each packet. */
static bool is_denied(const struct turn *turn, const struct addr *peer, bool relay)
{
	return !relay && peer_policy_denies(&turn->config.peers, peer);
}

static void end_denied_of(struct turn *turn, struct allocation *a, struct turn_actions *out)
{
	struct channel *c, *next_channel;
	struct permission *p, *next;

	HASH_ITER (hh_number, a->channels, c, next_channel)
		if (is_denied(turn, &c->peer, c->own)) {
			turn->counters.peers_withdrawn++;
			channel_free(turn, a, c, out);
		}
	HASH_ITER (hh, a->permissions, p, next)
		if (is_denied(turn, &p->peer, p->own)) {
			turn->counters.peers_withdrawn++;
			permission_free(turn, a, p, out);
		}
}

/* Allocations that were looked at before have nothing left to end when this is called again. */
bool turn_end_denied(struct turn *turn, struct turn_actions *out)
{
	struct allocation *a, *next;

	HASH_ITER (hh, turn->allocations, a, next) {
		size_t most = HASH_CNT(hh_number, a->channels) + HASH_COUNT(a->permissions);

		if (out->count + most > TURN_ACTIONS_MAX)
			return true;
		end_denied_of(turn, a, out);
	}
	return false;
}
