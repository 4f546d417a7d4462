/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay of the scenarios: its making, its clock, and the driver that carries actions out. The
 * driver is strict: it fails the test when a socket is closed twice, or a port is bound that
 * another socket holds. What the kernel path is told is checked in scenario_kernel.c.
 */
#include "flow/scenario.h"

#include <errno.h>
#include <stdlib.h>

static const char *const users[] = {"alice", "bob", "carol"};

struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct addr ip_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

static void refill(struct scenario *s)
{
	/* xorshift64: the same bytes in every run. */
	while (s->entropy.left + 8 <= sizeof(s->entropy.bytes)) {
		s->random ^= s->random << 13;
		s->random ^= s->random >> 7;
		s->random ^= s->random << 17;
		memcpy(s->entropy.bytes + s->entropy.left, &s->random, 8);
		s->entropy.left += 8;
	}
}

static struct credentials *make_credentials(void)
{
	struct credentials *c;

	assert_int_equal(credentials_new("example.org", &c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		char password[64];

		snprintf(password, sizeof(password), "%s-password", users[i]);
		assert_int_equal(credentials_add(c, users[i], password), 0);
	}
	return c;
}

static struct ports *make_ports(struct scenario *s, const struct options *o)
{
	s->first_port = o->first_port ? o->first_port : 50000;
	s->last_port = o->last_port ? o->last_port : 50999;

	struct ports_config config = {
		.first = s->first_port,
		.last = s->last_port,
		.reservations_max = o->reservations ? o->reservations : 16,
	};
	struct ports *ports;

	if (!o->no_ipv4) {
		config.addresses[config.count].internal = ip_of("192.0.2.1");
		config.addresses[config.count].external = ip_of(o->external ? o->external
									    : "192.0.2.1");
		config.count++;
	}
	if (!o->no_ipv6) {
		config.addresses[config.count].internal = ip_of("2001:db8::1");
		config.addresses[config.count].external = ip_of("2001:db8::1");
		config.count++;
	}
	assert_int_equal(ports_new(&config, &ports), 0);
	return ports;
}

/* Peers of the scenarios live in 198.51.100.0/24 and 2001:db8::/32, which are denied by default. */
static void set_policy(struct scenario *s, const struct options *o)
{
	static struct prefix usual[2];

	assert_int_equal(prefix_parse("198.51.100.0/24", &usual[0]), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &usual[1]), 0);
	s->config.peers.allow = usual;
	s->config.peers.allow_count = ARRAY_SIZE(usual);
	if (o->allow) {
		assert_int_equal(prefix_parse(o->allow, &s->allow), 0);
		s->config.peers.allow = &s->allow;
		s->config.peers.allow_count = 1;
	}
	if (o->deny) {
		assert_int_equal(prefix_parse(o->deny, &s->deny), 0);
		s->config.peers.deny = &s->deny;
		s->config.peers.deny_count = 1;
	}
	s->own[0] = ip_of("192.0.2.1");
	s->own[1] = ip_of("2001:db8::1");
	s->own[2] = ip_of("198.51.100.200"); /* an address of the host that is no relay's */
	s->config.peers.own = s->own;
	s->config.peers.own_count = 3;
}

struct scenario *scenario_new(const struct options *options)
{
	static const struct options usual;
	const struct options *o = options ? options : &usual;
	struct scenario *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->random = 88172645463325252ULL;
	s->next_socket = 10;
	s->now = (struct turn_now){.mono_ns = 1000 * NSEC_PER_SEC, .wall_s = 1700000000};
	s->credentials = make_credentials();
	s->ports = make_ports(s, o);
	s->config.credentials = s->credentials;
	s->config.ports = s->ports;
	s->config.bandwidth_bps = o->bandwidth_bps;
	memset(s->config.nonce_key, 0x5a, sizeof(s->config.nonce_key));
	s->config.nonce_lifetime_s = o->nonce_lifetime_s ? o->nonce_lifetime_s : 600;
	s->config.allocations_max = o->allocations ? o->allocations : 100;
	s->config.allocations_per_user = o->per_user;
	s->config.permissions_per_allocation = o->permissions ? o->permissions : 64;
	s->config.channels_per_allocation = o->channels ? o->channels : 64;
	assert_int_equal(quota_new(credentials_count(s->credentials), s->config.allocations_max,
				   o->per_user, &s->quota),
			 0);
	s->config.quota = s->quota;
	set_policy(s, o);
	refill(s);
	for (int i = 0; i < SCENARIO_WORKERS; i++)
		assert_int_equal(turn_new(&s->config, &s->turn[i]), 0);
	return s;
}

void scenario_free(struct scenario **s)
{
	for (int i = 0; i < SCENARIO_WORKERS; i++)
		turn_free(&(*s)->turn[i]);
	assert_int_equal(quota_used((*s)->quota), 0);
	quota_free(&(*s)->quota);
	ports_free(&(*s)->ports);
	credentials_free(&(*s)->credentials);
	free(*s);
	*s = NULL;
}

int scenario_socket_at(const struct scenario *s, const struct addr *internal)
{
	for (int i = 0; i < SCENARIO_SOCKETS; i++)
		if (s->sockets[i].open && addr_equal(&s->sockets[i].internal, internal))
			return i;
	return -1;
}

static int open_socket(struct scenario *s, const struct addr *internal, int worker, bool attached)
{
	int handle = s->next_socket;

	while (s->sockets[handle].open)
		handle = (handle + 1) % SCENARIO_SOCKETS;
	s->next_socket = (handle + 1) % SCENARIO_SOCKETS;
	assert_int_equal(scenario_socket_at(s, internal), -1);
	s->sockets[handle] = (struct socket_state){
		.open = true, .attached = attached, .internal = *internal, .worker = worker};
	return handle;
}

static struct event *record(struct scenario *s, int worker, const struct turn_action *action)
{
	struct event *e = &s->events[s->event_count++];

	assert_true(s->event_count < SCENARIO_EVENTS);
	*e = (struct event){.worker = worker, .action = *action, .at = s->bytes_used};
	return e;
}

static void keep(struct scenario *s, struct event *e, struct span part)
{
	assert_true(s->bytes_used + part.len <= sizeof(s->bytes));
	if (part.len)
		memcpy(s->bytes + s->bytes_used, part.data, part.len);
	s->bytes_used += part.len;
	e->len += part.len;
}

static void close_socket(struct scenario *s, int handle)
{
	assert_in_range(handle, 0, SCENARIO_SOCKETS - 1);
	assert_true(s->sockets[handle].open);
	/* The flows that end at it are gone before it is. */
	for (int w = 0; w < SCENARIO_WORKERS; w++)
		scenario_check_forgotten(s, w, &s->sockets[handle].internal);
	s->sockets[handle].open = false;
}

static void check_relay(const struct scenario *s, int worker, int handle)
{
	assert_in_range(handle, 0, SCENARIO_SOCKETS - 1);
	assert_true(s->sockets[handle].open && s->sockets[handle].attached);
	assert_int_equal(s->sockets[handle].worker, worker);
}

static void carry_out(struct scenario *s, int worker);

static void answer_bind(struct scenario *s, int worker, uint32_t ticket, struct addr internal,
			bool pair)
{
	struct turn_relay_result result = {.relay = -1, .reserved = -1};
	struct addr next = internal;

	next.port++;
	s->binds++;
	if (s->bind_failures) {
		s->bind_failures -= s->bind_failures > 0;
		result.error = s->bind_error;
	} else {
		result.relay = open_socket(s, &internal, worker, true);
		if (pair)
			result.reserved = open_socket(s, &next, worker, false);
	}
	refill(s);
	turn_relay_opened(s->turn[worker], &s->now, &s->entropy, ticket, &result, &s->out);
	carry_out(s, worker);
}

static void carry_out_one(struct scenario *s, int worker, const struct turn_action *action)
{
	struct event *e = record(s, worker, action);

	switch (action->kind) {
	case TURN_SEND_CLIENT:
		for (size_t i = 0; i < TURN_PARTS; i++)
			keep(s, e, action->send_client.parts[i]);
		break;
	case TURN_SEND_PEER:
		check_relay(s, worker, action->send_peer.relay);
		keep(s, e, action->send_peer.data);
		break;
	case TURN_OPEN_RELAY:
		break;
	case TURN_CLOSE_RELAY:
		close_socket(s, action->close_relay.relay);
		break;
	case TURN_ATTACH_RELAY:
		assert_false(s->sockets[action->attach_relay.relay].attached);
		s->sockets[action->attach_relay.relay].attached = true;
		s->sockets[action->attach_relay.relay].worker = worker;
		break;
	case TURN_SET_FLOW:
	case TURN_REMOVE_FLOW:
	case TURN_SET_SENDER:
	case TURN_REMOVE_SENDER:
	case TURN_SET_GRANT:
	case TURN_REMOVE_GRANT:
		scenario_tell_kernel(s, worker, action);
		break;
	}
}

/* In order; a bind is answered when everything before it is done, as turn.h says. */
static void carry_out(struct scenario *s, int worker)
{
	struct turn_action open = {0};
	bool has_open = false;

	for (size_t i = 0; i < s->out.count; i++) {
		assert_false(has_open);
		carry_out_one(s, worker, &s->out.items[i]);
		if (s->out.items[i].kind == TURN_OPEN_RELAY) {
			open = s->out.items[i];
			has_open = true;
		}
	}
	turn_actions_clear(&s->out);
	if (!has_open)
		return;
	if (s->hold_binds) {
		s->held_ticket = open.open_relay.ticket;
		s->held_internal = open.open_relay.internal;
		return;
	}
	answer_bind(s, worker, open.open_relay.ticket, open.open_relay.internal,
		    open.open_relay.pair);
}

void scenario_release_bind(struct scenario *s, int worker)
{
	s->hold_binds = false;
	s->event_count = s->bytes_used = 0;
	answer_bind(s, worker, s->held_ticket, s->held_internal, false);
}

void scenario_input(struct scenario *s, const struct client *c, struct span bytes)
{
	s->event_count = s->bytes_used = 0;
	s->binds = 0;
	refill(s);
	turn_client_input(s->turn[c->worker], &s->now, &s->entropy, &c->from, bytes, &s->out);
	carry_out(s, c->worker);
}

void scenario_peer_input(struct scenario *s, const struct addr *relay_internal, const char *peer,
			 struct span data)
{
	int handle = scenario_socket_at(s, relay_internal);
	struct addr from = addr_of(peer);

	assert_true(handle >= 0);
	s->event_count = s->bytes_used = 0;
	refill(s);
	turn_peer_input(s->turn[s->sockets[handle].worker], &s->now, &s->entropy, handle, &from,
			data, &s->out);
	carry_out(s, s->sockets[handle].worker);
}

void scenario_set_own(struct scenario *s, const char *const addresses[])
{
	struct addr own[8];
	size_t count = 0;

	for (; addresses[count]; count++) {
		assert_true(count < ARRAY_SIZE(own));
		own[count] = ip_of(addresses[count]);
	}
	for (int i = 0; i < SCENARIO_WORKERS; i++) {
		bool more = true;

		assert_int_equal(turn_set_own(s->turn[i], own, count), 0);
		while (more) {
			s->event_count = s->bytes_used = 0;
			more = turn_end_denied(s->turn[i], &s->out);
			carry_out(s, i);
		}
	}
	/* Only the copy counts. */
	memset(own, 0, sizeof(own));
}

void scenario_peer_error(struct scenario *s, const struct addr *relay_internal, const char *peer,
			 uint8_t type, uint8_t code, uint32_t mtu)
{
	const struct turn_peer_error error = {
		.peer = addr_of(peer), .type = type, .code = code, .mtu = mtu};
	int handle = scenario_socket_at(s, relay_internal);

	assert_true(handle >= 0);
	s->event_count = s->bytes_used = 0;
	refill(s);
	turn_peer_error(s->turn[s->sockets[handle].worker], &s->now, &s->entropy, handle, &error,
			&s->out);
	carry_out(s, s->sockets[handle].worker);
}

void scenario_wait(struct scenario *s, uint64_t seconds)
{
	s->now.mono_ns += seconds * NSEC_PER_SEC;
	s->now.wall_s += seconds;
}

void scenario_tick(struct scenario *s)
{
	s->event_count = s->bytes_used = 0;
	for (int i = 0; i < SCENARIO_WORKERS; i++) {
		bool more;

		do {
			more = turn_tick(s->turn[i], &s->now, &s->out);
			carry_out(s, i);
		} while (more);
		assert_true(turn_next_tick(s->turn[i]) > s->now.mono_ns);
	}
}

void scenario_run(struct scenario *s, uint64_t seconds)
{
	uint64_t end_ns = s->now.mono_ns + seconds * NSEC_PER_SEC;

	for (;;) {
		uint64_t next = MIN(turn_next_tick(s->turn[0]), turn_next_tick(s->turn[1]));

		if (next > end_ns)
			break;
		s->now.wall_s += (next - s->now.mono_ns) / NSEC_PER_SEC;
		s->now.mono_ns = next;
		scenario_tick(s);
	}
	s->now.wall_s += (end_ns - s->now.mono_ns) / NSEC_PER_SEC;
	s->now.mono_ns = end_ns;
}

size_t scenario_count(const struct scenario *s, enum turn_action_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < s->event_count; i++)
		count += s->events[i].action.kind == kind;
	return count;
}

size_t scenario_position(const struct scenario *s, enum turn_action_kind kind)
{
	for (size_t i = 0; i < s->event_count; i++)
		if (s->events[i].action.kind == kind)
			return i;
	return SIZE_MAX;
}

const struct event *scenario_event(const struct scenario *s, enum turn_action_kind kind)
{
	size_t at = scenario_position(s, kind);

	return at == SIZE_MAX ? NULL : &s->events[at];
}

struct span scenario_bytes(const struct scenario *s, const struct event *e)
{
	return span_make(s->bytes + e->at, e->len);
}

size_t scenario_open_sockets(const struct scenario *s)
{
	size_t count = 0;

	for (int i = 0; i < SCENARIO_SOCKETS; i++)
		count += s->sockets[i].open;
	return count;
}

size_t scenario_taken_ports(const struct scenario *s)
{
	struct addr addresses[] = {ip_of("192.0.2.1"), ip_of("2001:db8::1")};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		for (uint32_t port = s->first_port; port <= s->last_port; port++) {
			addresses[i].port = (uint16_t)port;
			count += ports_is_allocation(s->ports, &addresses[i]);
		}
	return count;
}

uint64_t scenario_counter_sum(const struct scenario *s, size_t offset)
{
	uint64_t sum = 0;

	for (int i = 0; i < SCENARIO_WORKERS; i++) {
		uint64_t value;

		memcpy(&value, (const char *)turn_counters(s->turn[i]) + offset, sizeof(value));
		sum += value;
	}
	return sum;
}
