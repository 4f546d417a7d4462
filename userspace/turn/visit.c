/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots of allocations for people. Addresses are shown as clients and peers see them.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "turn/state.h"

/* Room for the largest allocation, made once for a visit. */
struct views {
	struct turn_permission_view *permissions;
	struct turn_channel_view *channels;
};

static size_t fill_permissions(const struct turn *turn, const struct allocation *a,
			       struct turn_permission_view *views)
{
	size_t count = 0;

	if (!views)
		return 0;
	for (const struct permission *p = a->permissions; p; p = p->hh.next)
		views[count++] = (struct turn_permission_view){
			.peer = ports_to_external(turn->config.ports, &p->peer),
			.expires_ns = p->expires_ns,
		};
	return count;
}

static size_t fill_channels(const struct turn *turn, const struct allocation *a,
			    struct turn_channel_view *views)
{
	size_t count = 0;

	if (!views)
		return 0;
	for (const struct channel *c = a->channels; c; c = c->hh_number.next)
		views[count++] = (struct turn_channel_view){
			.flow = c->flow,
			.number = c->number,
			.peer = ports_to_external(turn->config.ports, &c->peer),
			.expires_ns = c->expires_ns,
		};
	return count;
}

static void fill(const struct turn *turn, const struct allocation *a, const struct views *views,
		 struct turn_allocation_view *ret)
{
	*ret = (struct turn_allocation_view){
		.allocation = a->number,
		.client = a->client,
		.user = a->user->name,
		.created_ns = a->created_ns,
		.permissions = views->permissions,
		.permission_count = fill_permissions(turn, a, views->permissions),
		.channels = views->channels,
		.channel_count = fill_channels(turn, a, views->channels),
		.to_peer_packets = a->to_peer_packets,
		.to_peer_bytes = a->to_peer_bytes,
		.to_client_packets = a->to_client_packets,
		.to_client_bytes = a->to_client_bytes,
	};
	for (unsigned int i = 0; i < TURN_RELAYS; i++) {
		if (a->relays[i].handle < 0)
			continue;
		ret->relayed[i] = ports_to_external(turn->config.ports, &a->relays[i].internal);
		ret->expires_ns = MAX(ret->expires_ns, a->relays[i].expires_ns);
	}
}

void turn_visit(const struct turn *turn,
		void (*visit)(void *ctx, const struct turn_allocation_view *view), void *ctx)
{
	/* Without memory the lists are empty, and the rest is still true. */
	_cleanup_free_ struct turn_permission_view *permissions = calloc(
		turn->config.permissions_per_allocation, sizeof(*permissions));
	_cleanup_free_ struct turn_channel_view *channels = calloc(
		turn->config.channels_per_allocation, sizeof(*channels));
	struct views views = {.permissions = permissions, .channels = channels};

	for (const struct allocation *a = turn->allocations; a; a = a->hh.next) {
		struct turn_allocation_view view;

		if (a->opening)
			continue;
		fill(turn, a, &views, &view);
		visit(ctx, &view);
	}
}
