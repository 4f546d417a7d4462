/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine's outside: its making and end, where a datagram goes, the tick. See turn.h.
 */
#include "turn/turn.h"

#include <errno.h>
#include <stdlib.h>

#include "turn/state.h"
#include "wire/classify.h"

struct turn_action *action_add(struct turn_actions *out, enum turn_action_kind kind)
{
	struct turn_action *action;

	ASSERT(out->count < TURN_ACTIONS_MAX);
	action = &out->items[out->count++];
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}

uint8_t *scratch_take(struct turn_actions *out, size_t len)
{
	uint8_t *at = out->scratch + out->scratch_used;

	ASSERT(len <= sizeof(out->scratch) - out->scratch_used);
	out->scratch_used += len;
	return at;
}

static bool config_is_sound(const struct turn_config *config)
{
	return config->credentials && config->ports && config->allocations_max > 0 &&
	       config->permissions_per_allocation > 0 && config->channels_per_allocation > 0 &&
	       config->permissions_per_allocation <= TURN_PERMISSIONS_LIMIT &&
	       config->channels_per_allocation <= TURN_CHANNELS_LIMIT;
}

/* The one that workers share, or one of its own. */
static int use_quota(struct turn *turn)
{
	const struct turn_config *config = &turn->config;
	int r;

	turn->quota = config->quota;
	if (turn->quota)
		return 0;
	r = quota_new(credentials_count(config->credentials), config->allocations_max,
		      config->allocations_per_user, &turn->own_quota);
	turn->quota = turn->own_quota;
	return r;
}

int turn_new(const struct turn_config *config, struct turn **ret)
{
	struct turn *turn;
	int r;

	if (!config_is_sound(config))
		return -EINVAL;
	turn = calloc(1, sizeof(*turn));
	if (!turn)
		return -ENOMEM;
	turn->config = *config;
	turn->ns_per_kib = bandwidth_cost(config->bandwidth_bps);
	r = turn_set_own(turn, config->peers.own, config->peers.own_count);
	if (r == 0)
		r = use_quota(turn);
	if (r < 0) {
		free(turn->own);
		free(turn);
		return r;
	}
	*ret = turn;
	return 0;
}

void turn_free(struct turn **turn)
{
	struct turn *t = *turn;

	if (!t)
		return;
	allocation_forget_all(t);
	repeat_forget_all(t);
	ids_clear(&t->allocation_ids);
	ids_clear(&t->flow_ids);
	ids_clear(&t->grant_ids);
	free(t->own);
	free(t->numbered);
	free(t->timers);
	quota_free(&t->own_quota);
	explicit_bzero(t->config.nonce_key, sizeof(t->config.nonce_key));
	free(t);
	*turn = NULL;
}

/* As many as an answer lists; one suffices to be refused. */
#define UNKNOWN_MAX 8

static bool refuse_unknown_attributes(struct request *r)
{
	uint16_t types[UNKNOWN_MAX];
	size_t count = attributes_unknown(&r->message, types, UNKNOWN_MAX);

	if (count)
		answer_unknown_attributes(r, types, count);
	return count > 0;
}

/* RFC 8489 12: no credentials, no state. */
void binding_request(struct request *r)
{
	struct writer w;

	if (refuse_unknown_attributes(r))
		return;
	w = answer_begin(&r->envelope, STUN_CLASS_SUCCESS, r->out);
	stun_put_xor_address(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &r->envelope.client.tuple.client);
	r->turn->counters.binding_requests++;
	r->turn->counters.success_responses++;
	answer_send(&r->envelope, &w, r->out);
}

/* Answers what was answered before; true if that was all there is to do. */
static bool answer_repetition(struct request *r)
{
	struct allocation *a = r->allocation;
	uint32_t lifetime_s;

	if (a && a->opening) {
		/* Its answer comes when the relay is open. Nothing is answered twice. */
		r->turn->counters.retransmissions++;
		return true;
	}
	if (repeat_is_allocate(r))
		answer_granted(r->turn, a, &r->envelope, r->out);
	else if (repeat_find(r, &lifetime_s))
		answer_success(r, lifetime_s);
	else
		return false;
	r->turn->counters.retransmissions++;
	return true;
}

/* RFC 8656 5: what is not Allocate needs an allocation, and the user who made it. */
static bool refuse_stranger(struct request *r)
{
	unsigned int code = 0;

	if (!r->allocation)
		code = 437;
	else if (r->allocation->user != r->envelope.user)
		code = 441;
	if (code)
		answer_error(r->turn, &r->envelope, code, NULL, r->out);
	return code != 0;
}

static void authenticated_request(struct request *r, void (*handle)(struct request *r))
{
	unsigned int code;

	r->allocation = allocation_find(r->turn, &r->envelope.client.tuple);
	if (r->allocation && allocation_expire(r->turn, r->allocation, r->now->mono_ns, r->out))
		r->allocation = NULL;
	code = authenticate_request(r);
	if (code == 400) {
		answer_error(r->turn, &r->envelope, code, NULL, r->out);
		return;
	}
	if (code) {
		answer_challenge(r, code);
		return;
	}
	if (refuse_unknown_attributes(r) || answer_repetition(r))
		return;
	if (r->envelope.method != STUN_METHOD_ALLOCATE && refuse_stranger(r))
		return;
	if (r->allocation)
		r->allocation->client.path = r->envelope.client.path;
	handle(r);
}

static void stun_request(struct request *r)
{
	struct turn_counters *counters = &r->turn->counters;

	if (r->message.fingerprint_at && !stun_fingerprint_matches(&r->message)) {
		counters->drop_fingerprint++;
		return;
	}
	switch (r->message.method) {
	case STUN_METHOD_BINDING:
		binding_request(r);
		break;
	case STUN_METHOD_ALLOCATE:
		counters->allocate_requests++;
		authenticated_request(r, allocate_request);
		break;
	case STUN_METHOD_REFRESH:
		counters->refresh_requests++;
		authenticated_request(r, refresh_request);
		break;
	case STUN_METHOD_CREATE_PERMISSION:
		counters->create_permission_requests++;
		authenticated_request(r, permission_request);
		break;
	case STUN_METHOD_CHANNEL_BIND:
		counters->channel_bind_requests++;
		authenticated_request(r, channel_request);
		break;
	default:
		counters->drop_unexpected++;
	}
}

/*
 * The FINGERPRINT of a Send indication is not looked at: the UDP checksum covered the same bytes,
 * there is nothing here to tell STUN from, and the kernel path could not afford to.
 */
static void stun_input(struct request *r, struct span datagram)
{
	int len = stun_parse(datagram, &r->message);

	/* A datagram is one whole message: RFC 8489 6.2.1. */
	if (len <= 0 || (size_t)len != datagram.len) {
		r->turn->counters.drop_bad_stun++;
		return;
	}
	r->envelope.method = r->message.method;
	r->envelope.fingerprint = r->message.fingerprint_at != 0;
	memcpy(r->envelope.transaction_id, r->message.transaction_id, STUN_TRANSACTION_ID_LEN);
	if (r->message.class == STUN_CLASS_REQUEST)
		stun_request(r);
	else if (r->message.class == STUN_CLASS_INDICATION && r->message.method == STUN_METHOD_SEND)
		relay_send_indication(r);
	else
		r->turn->counters.drop_unexpected++;
}

void turn_client_input(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		       const struct turn_client *from, struct span datagram,
		       struct turn_actions *out)
{
	struct request r = {
		.turn = turn,
		.now = now,
		.entropy = entropy,
		.out = out,
		.envelope.client = *from,
	};

	switch (wire_classify(datagram)) {
	case WIRE_STUN:
		stun_input(&r, datagram);
		break;
	case WIRE_CHANNEL_DATA:
		relay_channel_data(turn, now, from, datagram, out);
		break;
	case WIRE_UNKNOWN:
		turn->counters.drop_not_stun++;
	}
}

/* Reservations belong to no worker; whichever ticks first closes them. */
static bool expire_reservations(struct turn *turn, uint64_t now_ns, struct turn_actions *out)
{
	struct ports_reservation held;

	while (ports_next_expiry(turn->config.ports) <= now_ns) {
		if (out->count == TURN_ACTIONS_MAX)
			return true;
		if (!ports_expire(turn->config.ports, now_ns, &held))
			break;
		action_add(out, TURN_CLOSE_RELAY)->close_relay.relay = held.relay;
		ports_release(turn->config.ports, &held.internal);
	}
	return false;
}

/* As many actions as its end can take: of flows, grants, senders and relays. */
static size_t end_actions(const struct allocation *a)
{
	return HASH_CNT(hh_number, a->channels) + HASH_COUNT(a->permissions) + 2 * TURN_RELAYS;
}

bool turn_tick(struct turn *turn, const struct turn_now *now, struct turn_actions *out)
{
	repeat_forget(turn, now->mono_ns);
	while (turn->timer_count && turn->timers[0]->due_ns <= now->mono_ns) {
		struct allocation *a = turn->timers[0];

		/* Whatever becomes of it. */
		if (out->count + end_actions(a) > TURN_ACTIONS_MAX)
			return true;
		allocation_expire(turn, a, now->mono_ns, out);
	}
	return expire_reservations(turn, now->mono_ns, out);
}

uint64_t turn_next_tick(const struct turn *turn)
{
	uint64_t reservations = ports_next_expiry(turn->config.ports);

	return turn->timer_count ? MIN(turn->timers[0]->due_ns, reservations) : reservations;
}

const struct turn_counters *turn_counters(const struct turn *turn)
{
	return &turn->counters;
}

uint32_t turn_flow_limit(const struct turn *turn)
{
	uint64_t limit = (uint64_t)turn->config.allocations_max *
			 turn->config.channels_per_allocation;

	return (uint32_t)MIN(limit, UINT32_MAX);
}

uint32_t turn_grant_limit(const struct turn *turn)
{
	uint64_t limit = (uint64_t)turn->config.allocations_max *
			 turn->config.permissions_per_allocation;

	return (uint32_t)MIN(limit, UINT32_MAX);
}

uint32_t turn_allocation_count(const struct turn *turn)
{
	return turn->allocation_count;
}
