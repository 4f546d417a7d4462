/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Retransmissions over UDP, RFC 8489 6.3.1: a request that was answered with success is answered
 * again with the same bytes and has no second effect. Requests are known by five-tuple, method
 * and transaction id, and only those that were authenticated are remembered, a few for each
 * allocation. What fell out is carried out again, which does no harm: it only refreshes.
 */
#include <stdlib.h>

#include "turn/state.h"

static bool same_id(const struct request *r, const uint8_t id[static STUN_TRANSACTION_ID_LEN])
{
	return memcmp(r->envelope.transaction_id, id, STUN_TRANSACTION_ID_LEN) == 0;
}

bool repeat_is_allocate(const struct request *r)
{
	const struct allocation *a = r->allocation;

	return r->envelope.method == STUN_METHOD_ALLOCATE && a && a->user == r->envelope.user &&
	       same_id(r, a->grant.transaction_id);
}

/* Looked for even where there is an allocation: it may be a younger one on the same five-tuple,
 * which the old Refresh must not end. */
static bool find_farewell(const struct request *r)
{
	const struct five_tuple *tuple = &r->envelope.client.tuple;
	struct farewell *farewell;

	HASH_FIND(hh, r->turn->farewells, tuple, sizeof(*tuple), farewell);
	return farewell && r->envelope.method == STUN_METHOD_REFRESH &&
	       farewell->user == r->envelope.user && r->now->mono_ns < farewell->until_ns &&
	       same_id(r, farewell->transaction_id);
}

bool repeat_find(const struct request *r, uint32_t *ret_lifetime_s)
{
	const struct allocation *a = r->allocation;

	if (find_farewell(r)) {
		*ret_lifetime_s = 0;
		return true;
	}
	if (!a || a->user != r->envelope.user)
		return false;
	for (size_t i = 0; i < TURN_REMEMBERED; i++) {
		const struct remembered *entry = &a->remembered[i];

		if (entry->method == r->envelope.method && r->now->mono_ns < entry->until_ns &&
		    same_id(r, entry->transaction_id)) {
			*ret_lifetime_s = entry->lifetime_s;
			return true;
		}
	}
	return false;
}

void repeat_remember(const struct request *r, uint32_t lifetime_s)
{
	struct allocation *a = r->allocation;
	struct remembered *entry = &a->remembered[a->remembered_next++ % TURN_REMEMBERED];

	memcpy(entry->transaction_id, r->envelope.transaction_id, sizeof(entry->transaction_id));
	entry->method = r->envelope.method;
	entry->lifetime_s = lifetime_s;
	entry->until_ns = r->now->mono_ns + TURN_REPEAT_NS;
}

static void forget(struct turn *turn, struct farewell *farewell)
{
	HASH_DELETE(hh, turn->farewells, farewell);
	free(farewell);
}

void repeat_forget(struct turn *turn, uint64_t now_ns)
{
	/* uthash keeps the order of insertion, and all stay equally long. */
	while (turn->farewells && turn->farewells->until_ns <= now_ns)
		forget(turn, turn->farewells);
}

void repeat_forget_all(struct turn *turn)
{
	repeat_forget(turn, UINT64_MAX);
}

void repeat_say_farewell(const struct request *r)
{
	struct turn *turn = r->turn;
	struct farewell *farewell;

	repeat_forget(turn, r->now->mono_ns);
	HASH_FIND(hh, turn->farewells, &r->envelope.client.tuple, sizeof(struct five_tuple),
		  farewell);
	if (farewell)
		forget(turn, farewell);
	if (HASH_COUNT(turn->farewells) >= MIN(turn->config.allocations_max, TURN_FAREWELLS_MAX))
		forget(turn, turn->farewells);
	farewell = calloc(1, sizeof(*farewell));
	if (!farewell)
		return;
	farewell->tuple = r->envelope.client.tuple;
	farewell->user = r->envelope.user;
	farewell->until_ns = r->now->mono_ns + TURN_REPEAT_NS;
	memcpy(farewell->transaction_id, r->envelope.transaction_id, STUN_TRANSACTION_ID_LEN);
	HASH_ADD(hh, turn->farewells, tuple, sizeof(farewell->tuple), farewell);
	if (!farewell->hh.tbl)
		free(farewell);
}
