/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel path of a scenario was told: flows, senders and grants. Strict: nothing is told
 * twice, changed in anything but its expiry, removed that is not there, or outlived by what it
 * needs.
 */
#include "flow/scenario.h"

/* Nothing that the kernel was told of leads to this address. */
void scenario_check_forgotten(const struct scenario *s, int worker, const struct addr *relayed)
{
	for (int i = 0; i < SCENARIO_FLOWS; i++) {
		const struct flow_state *flow = &s->flows[worker][i];
		const struct grant_state *grant = &s->grants[worker][i];

		assert_false(flow->live && addr_equal(&flow->flow.relayed, relayed));
		assert_false(grant->live && addr_equal(&grant->grant.relayed, relayed));
	}
	for (int i = 0; i < SCENARIO_SENDERS; i++)
		assert_false(s->senders[worker][i].live &&
			     addr_equal(&s->senders[worker][i].sender.relayed, relayed));
}

/* The sender that carries the relayed address must be there first, and go last. */
static bool has_sender(const struct scenario *s, int worker, uint32_t allocation,
		       const struct addr *relayed)
{
	for (uint32_t i = 2 * allocation; i < 2 * allocation + 2; i++)
		if (s->senders[worker][i].live &&
		    addr_equal(&s->senders[worker][i].sender.relayed, relayed))
			return true;
	return false;
}

static void set_flow(struct scenario *s, int worker, const struct turn_flow *flow)
{
	struct flow_state *state;

	assert_in_range(flow->flow, 0, SCENARIO_FLOWS - 1);
	assert_true(flow->flow < turn_flow_limit(s->turn[worker]));
	assert_true(flow->to_client_expires_ns <= flow->to_peer_expires_ns);
	assert_true(flow->to_peer_expires_ns > s->now.mono_ns);
	assert_true(has_sender(s, worker, flow->allocation, &flow->relayed));
	state = &s->flows[worker][flow->flow];
	if (state->live) {
		/* The same number again changes expiry and nothing else. */
		assert_true(addr_equal(&state->flow.peer, &flow->peer));
		assert_true(addr_equal(&state->flow.relayed, &flow->relayed));
		assert_int_equal(state->flow.channel, flow->channel);
		assert_true(state->flow.to_client_expires_ns != flow->to_client_expires_ns ||
			    state->flow.to_peer_expires_ns != flow->to_peer_expires_ns);
	}
	*state = (struct flow_state){.live = true, .flow = *flow};
}

static void remove_flow(struct scenario *s, int worker, uint32_t flow)
{
	assert_in_range(flow, 0, SCENARIO_FLOWS - 1);
	assert_true(s->flows[worker][flow].live);
	s->flows[worker][flow].live = false;
}

static void set_sender(struct scenario *s, int worker, const struct turn_sender *sender)
{
	struct sender_state *state;

	assert_in_range(sender->sender, 0, SCENARIO_SENDERS - 1);
	assert_int_equal(sender->sender,
			 2 * sender->allocation + (sender->relayed.family == ADDR_IPV6));
	assert_true(sender->expires_ns > s->now.mono_ns);
	assert_true(scenario_socket_at(s, &sender->relayed) >= 0);
	state = &s->senders[worker][sender->sender];
	if (state->live) {
		assert_memory_equal(&state->sender.tuple, &sender->tuple, sizeof(sender->tuple));
		assert_true(addr_equal(&state->sender.relayed, &sender->relayed));
		assert_true(state->sender.expires_ns != sender->expires_ns);
	}
	*state = (struct sender_state){.live = true, .sender = *sender};
}

static void remove_sender(struct scenario *s, int worker, uint32_t sender)
{
	assert_in_range(sender, 0, SCENARIO_SENDERS - 1);
	assert_true(s->senders[worker][sender].live);
	s->senders[worker][sender].live = false;
	scenario_check_forgotten(s, worker, &s->senders[worker][sender].sender.relayed);
}

static void set_grant(struct scenario *s, int worker, const struct turn_grant *grant)
{
	struct grant_state *state;

	assert_in_range(grant->grant, 0, SCENARIO_FLOWS - 1);
	assert_true(grant->grant < turn_grant_limit(s->turn[worker]));
	assert_true(grant->expires_ns > s->now.mono_ns);
	assert_int_equal(grant->peer.port, 0);
	assert_int_equal(grant->peer.family, grant->relayed.family);
	assert_true(has_sender(s, worker, grant->allocation, &grant->relayed));
	assert_int_equal(grant->peer_is_relay, ports_is_relay_ip(s->ports, &grant->peer));
	state = &s->grants[worker][grant->grant];
	if (state->live) {
		assert_memory_equal(&state->grant.tuple, &grant->tuple, sizeof(grant->tuple));
		assert_true(addr_equal(&state->grant.peer, &grant->peer));
		assert_true(addr_equal(&state->grant.relayed, &grant->relayed));
		assert_true(state->grant.expires_ns != grant->expires_ns);
	}
	*state = (struct grant_state){.live = true, .grant = *grant};
}

static void remove_grant(struct scenario *s, int worker, uint32_t grant)
{
	assert_in_range(grant, 0, SCENARIO_FLOWS - 1);
	assert_true(s->grants[worker][grant].live);
	s->grants[worker][grant].live = false;
}

void scenario_tell_kernel(struct scenario *s, int worker, const struct turn_action *action)
{
	switch (action->kind) {
	case TURN_SET_FLOW:
		set_flow(s, worker, &action->set_flow);
		break;
	case TURN_REMOVE_FLOW:
		remove_flow(s, worker, action->remove_flow.flow);
		break;
	case TURN_SET_SENDER:
		set_sender(s, worker, &action->set_sender);
		break;
	case TURN_REMOVE_SENDER:
		remove_sender(s, worker, action->remove_sender.sender);
		break;
	case TURN_SET_GRANT:
		set_grant(s, worker, &action->set_grant);
		break;
	case TURN_REMOVE_GRANT:
		remove_grant(s, worker, action->remove_grant.grant);
		break;
	default:
		fail_msg("no action for the kernel path");
	}
}

size_t scenario_live_flows(const struct scenario *s)
{
	size_t count = 0;

	for (int w = 0; w < SCENARIO_WORKERS; w++)
		for (int i = 0; i < SCENARIO_FLOWS; i++)
			count += s->flows[w][i].live;
	return count;
}

size_t scenario_live_senders(const struct scenario *s)
{
	size_t count = 0;

	for (int w = 0; w < SCENARIO_WORKERS; w++)
		for (int i = 0; i < SCENARIO_SENDERS; i++)
			count += s->senders[w][i].live;
	return count;
}

size_t scenario_live_grants(const struct scenario *s)
{
	size_t count = 0;

	for (int w = 0; w < SCENARIO_WORKERS; w++)
		for (int i = 0; i < SCENARIO_FLOWS; i++)
			count += s->grants[w][i].live;
	return count;
}
