/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A long walk of clients who do what they like, and what must hold after each step: ports, sockets,
 * flows, senders and grants are exactly those of the allocations there are, quotas hold over all
 * workers, and the daemon carries a packet exactly when what the kernel was given says so.
 */
#include <errno.h>

#include "flow/scenario.h"

#define CLIENTS	       10
#define STEPS	       6000
#define PER_USER       4
#define ALLOCATIONS    10
#define RESERVATIONS   3
#define PEERS	       6
#define CHANNELS_LIMIT 4

struct walk {
	struct scenario *s;
	struct client clients[CLIENTS];
	struct message last[CLIENTS]; /* for retransmissions */
	uint8_t token[PORTS_TOKEN_LEN];
	bool has_token;
	uint32_t seed;
	size_t successes[16];
};

static uint32_t pick(struct walk *w, uint32_t below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 17;
	w->seed ^= w->seed << 5;
	return w->seed % below;
}

static const char *const users[] = {"alice", "bob", "carol"};

static struct addr pick_peer(struct walk *w)
{
	static const char *const peers[PEERS] = {
		"198.51.100.9:5000",  "198.51.100.9:5001",  "198.51.100.10:5000",
		"[2001:db8::9]:5000", "[2001:db8::a]:5000", "10.0.0.1:5000",
	};
	uint32_t i = pick(w, PEERS + 2);

	if (i < PEERS)
		return addr_of(peers[i]);
	/* Some allocation of this relay, or a port of it that is none. */
	for (int at = 0; at < SCENARIO_SOCKETS; at++)
		if (w->s->sockets[at].open && pick(w, 4) == 0)
			return w->s->sockets[at].internal;
	return addr_of("192.0.2.1:22");
}

static void begin_allocate(struct walk *w, struct message *m, struct client *c)
{
	message_begin(m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	if (pick(w, 3) == 0)
		stun_put_u32(&m->w, STUN_ATTR_LIFETIME, pick(w, 4000));
	switch (pick(w, 6)) {
	case 0:
		message_put_u8(m, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
		break;
	case 1:
		message_put_u8(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
		break;
	case 2:
		message_put_u8(m, STUN_ATTR_EVEN_PORT, pick(w, 2) ? 0x80 : 0, 1);
		break;
	case 3:
		if (w->has_token)
			stun_put(&m->w, STUN_ATTR_RESERVATION_TOKEN,
				 span_make(w->token, sizeof(w->token)));
		break;
	}
	w->s->bind_failures = pick(w, 4) == 0 ? (int)pick(w, 20) : 0;
	w->s->bind_error = pick(w, 4) ? -EADDRINUSE : -EACCES;
}

static void begin_refresh(struct walk *w, struct message *m, struct client *c)
{
	message_begin(m, c, STUN_METHOD_REFRESH);
	stun_put_u32(&m->w, STUN_ATTR_LIFETIME, pick(w, 4) ? pick(w, 4000) : 0);
	if (pick(w, 2))
		message_put_u8(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY,
			       pick(w, 2) ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6, 4);
}

static void begin_peers(struct walk *w, struct message *m, struct client *c)
{
	uint32_t count = pick(w, 4);

	message_begin(m, c, STUN_METHOD_CREATE_PERMISSION);
	while (count--) {
		struct addr peer = pick_peer(w);

		stun_put_xor_address(&m->w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	}
}

static void begin_bind(struct walk *w, struct message *m, struct client *c)
{
	struct addr peer = pick_peer(w);

	message_begin(m, c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m->w, STUN_ATTR_CHANNEL_NUMBER, (0x3fff + pick(w, 7)) << 16);
	stun_put_xor_address(&m->w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
}

static void remember_token(struct walk *w, const struct reply *r)
{
	struct span value;

	if (r->any && stun_find(&r->message, STUN_ATTR_RESERVATION_TOKEN, &value)) {
		memcpy(w->token, value.data, sizeof(w->token));
		w->has_token = true;
	}
}

static void request(struct walk *w)
{
	uint32_t i = pick(w, CLIENTS);
	struct client *c = &w->clients[i];
	struct message *m = &w->last[i];

	/* Sometimes another user speaks from the same address. */
	if (pick(w, 50) == 0)
		c->user = users[pick(w, ARRAY_SIZE(users))];
	switch (pick(w, 8)) {
	case 0:
	case 1:
		begin_allocate(w, m, c);
		break;
	case 2:
		begin_refresh(w, m, c);
		break;
	case 3:
	case 4:
		begin_peers(w, m, c);
		break;
	default:
		begin_bind(w, m, c);
	}
	struct reply r = scenario_send(w->s, c, m);

	assert_true(r.any);
	if (r.code == 0)
		w->successes[r.message.method]++;
	remember_token(w, &r);
}

static void retransmit(struct walk *w)
{
	uint32_t i = pick(w, CLIENTS);

	if (w->last[i].sealed)
		scenario_input(w->s, &w->clients[i], span_make(w->last[i].bytes, w->last[i].len));
}

static void data(struct walk *w)
{
	struct client *c = &w->clients[pick(w, CLIENTS)];
	struct addr peer = pick_peer(w);

	scenario_send_indication(w->s, c, addr_format(&peer, (char[ADDR_TEXT_MAX]){0}), "x");
	assert_true(scenario_count(w->s, TURN_SEND_CLIENT) == 0);
}

static void step(struct walk *w)
{
	switch (pick(w, 12)) {
	case 0:
		scenario_run(w->s, pick(w, 120));
		break;
	case 1:
		scenario_wait(w->s, pick(w, 120));
		break;
	case 2:
		scenario_tick(w->s);
		break;
	case 3:
		retransmit(w);
		break;
	case 4:
		data(w);
		break;
	default:
		request(w);
	}
}

struct census {
	const struct scenario *s;
	int worker;
	size_t relays, channels, permissions, allocations;
	size_t per_user[ARRAY_SIZE(users)];
};

static void check_channel(const struct census *census, const struct turn_allocation_view *view,
			  const struct turn_channel_view *channel)
{
	const struct flow_state *state = &census->s->flows[census->worker][channel->flow];

	assert_true(state->live);
	assert_int_equal(state->flow.channel, channel->number);
	assert_true(addr_equal(&state->flow.peer, &channel->peer));
	assert_int_equal(state->flow.allocation, view->allocation);
	assert_true(state->flow.to_peer_expires_ns <= channel->expires_ns);
	assert_true(state->flow.to_peer_expires_ns <= view->expires_ns);
}

static void count(void *ctx, const struct turn_allocation_view *view)
{
	struct census *census = ctx;

	census->allocations++;
	for (size_t i = 0; i < 2; i++)
		census->relays += view->relayed[i].family != ADDR_NONE;
	census->channels += view->channel_count;
	census->permissions += view->permission_count;
	assert_in_range(view->channel_count, 0, CHANNELS_LIMIT);
	for (size_t i = 0; i < view->channel_count; i++)
		check_channel(census, view, &view->channels[i]);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		census->per_user[i] += strcmp(view->user, users[i]) == 0;
}

static void check_books(const struct walk *w)
{
	struct census all = {.s = w->s};

	for (int i = 0; i < SCENARIO_WORKERS; i++) {
		struct census one = {.s = w->s, .worker = i};

		turn_visit(w->s->turn[i], count, &one);
		assert_int_equal(one.allocations, turn_allocation_count(w->s->turn[i]));
		for (size_t u = 0; u < ARRAY_SIZE(users); u++)
			all.per_user[u] += one.per_user[u];
		all.relays += one.relays;
		all.channels += one.channels;
		all.permissions += one.permissions;
		all.allocations += one.allocations;
	}
	assert_in_range(all.allocations, 0, ALLOCATIONS);
	assert_int_equal(quota_used(w->s->quota), all.allocations);
	for (size_t u = 0; u < ARRAY_SIZE(users); u++)
		assert_in_range(all.per_user[u], 0, PER_USER);
	/* Sockets beyond the allocations' are reservations, which are few. */
	size_t sockets = scenario_open_sockets(w->s);

	assert_true(sockets >= all.relays && sockets <= all.relays + RESERVATIONS);
	assert_int_equal(scenario_taken_ports(w->s), sockets);
	assert_int_equal(scenario_live_flows(w->s), all.channels);
	assert_int_equal(scenario_live_grants(w->s), all.permissions);
	assert_int_equal(scenario_live_senders(w->s), all.relays);
}

static struct client *client_of(struct walk *w, int worker, const struct five_tuple *tuple)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (w->clients[i].worker == worker &&
		    memcmp(&w->clients[i].from.tuple, tuple, sizeof(*tuple)) == 0)
			return &w->clients[i];
	fail_msg("a flow without a client");
	return NULL;
}

static void check_flow(struct walk *w, int worker, const struct turn_flow *flow)
{
	struct scenario *s = w->s;
	bool peer_is_there = !flow->peer_is_allocation ||
			     ports_is_allocation(s->ports, &flow->peer);
	bool to_peer = s->now.mono_ns < flow->to_peer_expires_ns && peer_is_there;
	bool to_client = s->now.mono_ns < flow->to_client_expires_ns;

	scenario_channel_data(s, client_of(w, worker, &flow->tuple), flow->channel, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), to_peer);
	if (to_peer)
		assert_true(addr_equal(&scenario_event(s, TURN_SEND_PEER)->action.send_peer.peer,
				       &flow->peer));
	scenario_peer_input(s, &flow->relayed, addr_format(&flow->peer, (char[ADDR_TEXT_MAX]){0}),
			    span_of("x"));
	const struct event *e = scenario_event(s, TURN_SEND_CLIENT);

	/* As ChannelData; an indication is what the kernel leaves to the daemon. */
	assert_int_equal(e && e->len == 5, to_client);
	if (to_client)
		assert_int_equal(s->bytes[e->at] << 8 | s->bytes[e->at + 1], flow->channel);
}

static void check_flows(struct walk *w)
{
	for (int worker = 0; worker < SCENARIO_WORKERS; worker++)
		for (int i = 0; i < 64; i++)
			if (w->s->flows[worker][i].live)
				check_flow(w, worker, &w->s->flows[worker][i].flow);
}

/* The kernel path carries a Send indication if there are a sender and a grant that live. */
static bool kernel_would_send(const struct scenario *s, int worker, const struct turn_grant *grant)
{
	for (uint32_t i = 2 * grant->allocation; i < 2 * grant->allocation + 2; i++) {
		const struct sender_state *state = &s->senders[worker][i];

		if (state->live && addr_equal(&state->sender.relayed, &grant->relayed))
			return s->now.mono_ns < MIN(state->sender.expires_ns, grant->expires_ns);
	}
	return false;
}

static void check_grant(struct walk *w, int worker, const struct turn_grant *grant)
{
	struct scenario *s = w->s;
	struct addr peer = grant->peer;
	char text[ADDR_TEXT_MAX];
	bool carried = kernel_would_send(s, worker, grant);

	/* No walker binds a channel to this port, nor has it an allocation. */
	peer.port = 7;
	addr_format(&peer, text);
	scenario_send_indication(s, client_of(w, worker, &grant->tuple), text, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), carried && !grant->peer_is_relay);
	scenario_peer_input(s, &grant->relayed, text, span_of("x"));
	assert_int_equal(scenario_count(s, TURN_SEND_CLIENT), carried);
}

static void check_grants(struct walk *w)
{
	for (int worker = 0; worker < SCENARIO_WORKERS; worker++)
		for (int i = 0; i < 64; i++)
			if (w->s->grants[worker][i].live)
				check_grant(w, worker, &w->s->grants[worker][i].grant);
}

static uint64_t refusals(const struct scenario *s)
{
	return scenario_counter(s, refused_ports_ipv4) + scenario_counter(s, refused_ports_ipv6) +
	       scenario_counter(s, refused_binds) + scenario_counter(s, refused_reservations) +
	       scenario_counter(s, refused_token) + scenario_counter(s, refused_allocations) +
	       scenario_counter(s, refused_permissions) + scenario_counter(s, refused_channels);
}

static void walk(uint32_t seed)
{
	static const struct options options = {.per_user = PER_USER,
					       .allocations = ALLOCATIONS,
					       .channels = CHANNELS_LIMIT,
					       .permissions = 4,
					       .reservations = RESERVATIONS,
					       .first_port = 50000,
					       .last_port = 50011};
	static struct walk w;

	memset(&w, 0, sizeof(w));
	w.seed = seed;
	w.s = scenario_new(&options);
	for (uint16_t i = 0; i < CLIENTS; i++) {
		w.clients[i] = client_make(i % 2 ? "198.51.100.7:41000" : "[2001:db8::7]:41000",
					   users[i % ARRAY_SIZE(users)]);
		w.clients[i].from.tuple.client.port = (uint16_t)(41000 + i);
		w.clients[i].worker = i % 3 == 0;
		w.clients[i].fingerprint = i % 4 == 0;
	}
	for (int i = 0; i < STEPS; i++) {
		step(&w);
		check_books(&w);
		if (i % 8 == 0) {
			check_flows(&w);
			check_grants(&w);
		}
	}
	/* The walk went somewhere, and met its limits. */
	assert_true(scenario_counter(w.s, error_486) > 10);
	assert_true(scenario_counter(w.s, error_508) > 10);
	/* Each 508 has a cause that is counted; with two families it may have two. */
	assert_true(scenario_counter(w.s, error_508) <= refusals(w.s));
	assert_true(w.successes[STUN_METHOD_ALLOCATE] > 100);
	assert_true(w.successes[STUN_METHOD_REFRESH] > 100);
	assert_true(w.successes[STUN_METHOD_CREATE_PERMISSION] > 100);
	assert_true(w.successes[STUN_METHOD_CHANNEL_BIND] > 100);
	scenario_run(w.s, 4000);
	assert_int_equal(scenario_open_sockets(w.s), 0);
	assert_int_equal(scenario_taken_ports(w.s), 0);
	assert_int_equal(scenario_live_flows(w.s), 0);
	assert_int_equal(scenario_live_grants(w.s), 0);
	assert_int_equal(scenario_live_senders(w.s), 0);
	assert_int_equal(turn_next_tick(w.s->turn[0]), UINT64_MAX);
	scenario_free(&w.s);
}

static void the_books_balance_after_every_step(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++)
		walk(seed * 2654435761U);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_books_balance_after_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
