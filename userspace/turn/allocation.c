/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of an allocation: made, given relays, swept, ended. It keeps the tables, the quota and
 * the ports in step; what clients ask for is elsewhere.
 */
#include <errno.h>
#include <stdlib.h>

#include "turn/state.h"

struct allocation *allocation_find(const struct turn *turn, const struct five_tuple *tuple)
{
	struct allocation *a;

	HASH_FIND(hh, turn->allocations, tuple, sizeof(*tuple), a);
	return a;
}

struct relay *allocation_relay(struct allocation *a, enum addr_family family)
{
	struct relay *relay = &a->relays[relay_index(family)];

	return relay->handle >= 0 && relay->internal.family == family ? relay : NULL;
}

bool allocation_has_relay(const struct allocation *a)
{
	return a->relays[0].handle >= 0 || a->relays[1].handle >= 0;
}

/* Both arrays grow together, so that a number always has its place in the heap. */
static int reserve(struct turn *turn)
{
	if (turn->allocation_count < turn->room)
		return 0;

	uint32_t room = turn->room ? turn->room * 2 : 64;
	struct allocation **numbered = reallocarray(turn->numbered, room, sizeof(*numbered));

	if (!numbered)
		return -ENOMEM;
	turn->numbered = numbered;

	struct allocation **timers = reallocarray(turn->timers, room, sizeof(*timers));

	if (!timers)
		return -ENOMEM;
	turn->timers = timers;
	turn->room = room;
	return 0;
}

static bool add_to_tables(struct turn *turn, struct allocation *a)
{
	HASH_ADD(hh, turn->allocations, client.tuple, sizeof(a->client.tuple), a);
	if (!a->hh.tbl)
		return false;
	if (ids_take(&turn->allocation_ids, UINT32_MAX, &a->number) < 0) {
		HASH_DELETE(hh, turn->allocations, a);
		return false;
	}
	turn->numbered[a->number] = a;
	turn->allocation_count++;
	return true;
}

struct allocation *allocation_new(struct turn *turn, const struct envelope *envelope)
{
	struct allocation *a;

	if (reserve(turn) < 0)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->client = envelope->client;
	a->user = envelope->user;
	a->timer_at = TIMER_NONE;
	a->relays[0].handle = a->relays[1].handle = -1;
	a->relays[0].allocation = a->relays[1].allocation = a;
	if (!add_to_tables(turn, a)) {
		free(a);
		return NULL;
	}
	return a;
}

int allocation_add_relay(struct turn *turn, struct allocation *a, const struct addr *internal,
			 int handle)
{
	struct relay *relay = &a->relays[relay_index(internal->family)], *other;

	ASSERT(handle >= 0 && relay->handle < 0);
	HASH_FIND_INT(turn->relays, &handle, other);
	ASSERT(!other);
	relay->handle = handle;
	relay->internal = *internal;
	HASH_ADD_INT(turn->relays, handle, relay);
	if (relay->hh.tbl)
		return 0;
	relay->handle = -1;
	return -ENOMEM;
}

/* The port is free for others when whoever carries out the actions has closed the socket; until
 * then binding it again fails, and the one who tries takes another. */
static void close_relay(struct turn *turn, struct relay *relay, struct turn_actions *out)
{
	HASH_DELETE(hh, turn->relays, relay);
	action_add(out, TURN_CLOSE_RELAY)->close_relay.relay = relay->handle;
	relay->handle = -1;
	ports_release(turn->config.ports, &relay->internal);
}

void allocation_drop_relay(struct turn *turn, struct allocation *a, enum addr_family family,
			   struct turn_actions *out)
{
	struct relay *relay = allocation_relay(a, family);
	struct channel *c, *next_channel;
	struct permission *p, *next;

	if (!relay)
		return;
	HASH_ITER (hh_number, a->channels, c, next_channel)
		if (c->peer.family == family)
			channel_free(turn, a, c, out);
	HASH_ITER (hh, a->permissions, p, next)
		if (p->peer.family == family)
			permission_free(turn, a, p, out);
	publish_end_of_sender(a, relay, out);
	close_relay(turn, relay, out);
}

void allocation_end(struct turn *turn, struct allocation *a, struct turn_actions *out)
{
	allocation_drop_relay(turn, a, ADDR_IPV4, out);
	allocation_drop_relay(turn, a, ADDR_IPV6, out);
	timer_remove(turn, a);
	HASH_DELETE(hh, turn->allocations, a);
	turn->numbered[a->number] = NULL;
	ids_give(&turn->allocation_ids, a->number);
	turn->allocation_count--;
	quota_give(turn->quota, a->user->index);
	free(a->opening);
	free(a);
}

static void forget(struct turn *turn, struct allocation *a)
{
	struct channel *c, *next_channel;
	struct permission *p, *next;

	HASH_CLEAR(hh_peer, a->channels_by_peer);
	HASH_ITER (hh_number, a->channels, c, next_channel) {
		HASH_DELETE(hh_number, a->channels, c);
		free(c);
	}
	HASH_ITER (hh, a->permissions, p, next) {
		HASH_DELETE(hh, a->permissions, p);
		free(p);
	}
	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (a->relays[i].handle >= 0)
			ports_release(turn->config.ports, &a->relays[i].internal);
	HASH_DELETE(hh, turn->allocations, a);
	quota_give(turn->quota, a->user->index);
	free(a->opening);
	free(a);
}

void allocation_forget_all(struct turn *turn)
{
	struct allocation *a, *next;

	HASH_CLEAR(hh, turn->relays);
	HASH_ITER (hh, turn->allocations, a, next)
		forget(turn, a);
}

/* The earliest time at which something in it runs out. */
static uint64_t next_due(const struct allocation *a)
{
	uint64_t due = UINT64_MAX;

	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (a->relays[i].handle >= 0)
			due = MIN(due, a->relays[i].expires_ns);
	for (const struct permission *p = a->permissions; p; p = p->hh.next)
		due = MIN(due, p->expires_ns);
	for (const struct channel *c = a->channels; c; c = c->hh_number.next)
		due = MIN(due, c->expires_ns);
	return due;
}

bool allocation_expire(struct turn *turn, struct allocation *a, uint64_t now_ns,
		       struct turn_actions *out)
{
	struct channel *c, *next_channel;
	struct permission *p, *next;

	if (now_ns < a->due_ns || a->timer_at == TIMER_NONE)
		return false;
	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (a->relays[i].handle >= 0 && a->relays[i].expires_ns <= now_ns)
			allocation_drop_relay(turn, a, a->relays[i].internal.family, out);
	if (!allocation_has_relay(a)) {
		turn->counters.allocations_expired++;
		allocation_end(turn, a, out);
		return true;
	}
	HASH_ITER (hh_number, a->channels, c, next_channel)
		if (c->expires_ns <= now_ns)
			channel_free(turn, a, c, out);
	HASH_ITER (hh, a->permissions, p, next)
		if (p->expires_ns <= now_ns)
			permission_free(turn, a, p, out);
	timer_set(turn, a, next_due(a));
	return false;
}
