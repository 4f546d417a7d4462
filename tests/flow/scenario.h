/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A relay without sockets for protocol scenarios: two workers that share ports and credentials, a
 * driver that carries actions out in memory and checks that they make sense, clients that build
 * messages as real ones do, and a clock that stands still until it is moved.
 */
#ifndef TURNPIKE_TESTS_SCENARIO_H
#define TURNPIKE_TESTS_SCENARIO_H

/* What cmocka needs before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "turn/turn.h"
#include "wire/stun.h"

#define SCENARIO_WORKERS 2
#define SCENARIO_SOCKETS 4096
#define SCENARIO_FLOWS	 8192
#define SCENARIO_SENDERS 1024
#define SCENARIO_EVENTS	 3600

/* Zero means the usual: see scenario_new. */
struct options {
	bool no_ipv4, no_ipv6;
	const char *external; /* of the IPv4 relay address 192.0.2.1 */
	uint16_t first_port, last_port;
	uint32_t allocations, per_user, permissions, channels, reservations;
	uint32_t nonce_lifetime_s;
	uint64_t bandwidth_bps;
	const char *allow, *deny; /* one prefix each */
};

/* An action as it was carried out, its bytes copied. */
struct event {
	int worker;
	struct turn_action action;
	size_t at, len; /* of a datagram, in scenario->bytes */
};

struct socket_state {
	bool open, attached;
	struct addr internal;
	int worker; /* that receives from it */
};

struct flow_state {
	bool live;
	struct turn_flow flow;
};

struct sender_state {
	bool live;
	struct turn_sender sender;
};

struct grant_state {
	bool live;
	struct turn_grant grant;
};

struct scenario {
	struct credentials *credentials;
	struct ports *ports;
	struct quota *quota;
	struct turn *turn[SCENARIO_WORKERS];
	struct turn_config config;
	struct prefix allow, deny;
	struct addr own[4];
	uint16_t first_port, last_port;
	struct turn_now now;
	struct entropy entropy;
	uint64_t random;
	struct turn_actions out;
	/* What the driver has. */
	struct socket_state sockets[SCENARIO_SOCKETS];
	struct flow_state flows[SCENARIO_WORKERS][SCENARIO_FLOWS];
	struct sender_state senders[SCENARIO_WORKERS][SCENARIO_SENDERS];
	struct grant_state grants[SCENARIO_WORKERS][SCENARIO_FLOWS];
	int next_socket;
	/* The next binds fail: that many times, with that error. -1: for ever. */
	int bind_failures, bind_error;
	unsigned int binds; /* tried since scenario_forget_events */
	bool hold_binds;    /* leave TURN_OPEN_RELAY unanswered */
	uint32_t held_ticket;
	struct addr held_internal;
	/* What happened since the last input. */
	struct event events[SCENARIO_EVENTS];
	size_t event_count;
	uint8_t bytes[1 << 20];
	size_t bytes_used;
};

struct client {
	int worker;
	struct turn_client from;
	const char *user, *password;
	bool fingerprint;
	uint32_t transactions;
	/* Overrides for what goes wrong: NULL is the right thing. */
	const char *realm, *nonce;
};

/* Prepared by message_begin, sent by scenario_send. */
struct message {
	uint8_t bytes[65600];
	struct writer w;
	size_t len; /* once sealed */
	bool sealed;
};

/* What came back for one request. */
struct reply {
	bool any;
	unsigned int code; /* 0: success */
	struct stun_message message;
};

struct scenario *scenario_new(const struct options *options);
void scenario_free(struct scenario **s);

/* Users are alice, bob and carol, each with the name and "-password". */
struct client client_make(const char *address, const char *user);

/* Between the files of the scenario. The handle of the socket with that address, -1 for none. */
int scenario_socket_at(const struct scenario *s, const struct addr *internal);
/* Notes what an action tells the kernel path, and checks it. */
void scenario_tell_kernel(struct scenario *s, int worker, const struct turn_action *action);
/* Fails the test if anything that the kernel was told leads to this relayed address. */
void scenario_check_forgotten(const struct scenario *s, int worker, const struct addr *relayed);

/* Moves the clock. No tick happens by itself. */
void scenario_wait(struct scenario *s, uint64_t seconds);
/* Ticks both workers until they have nothing to do. */
void scenario_tick(struct scenario *s);
/* Moves the clock, ticking at every moment that a worker asks for. */
void scenario_run(struct scenario *s, uint64_t seconds);

void message_begin(struct message *m, struct client *c, uint16_t method);
void message_begin_class(struct message *m, struct client *c, uint16_t method, uint16_t class);
/* Adds credentials and fingerprint as the client has them. */
void message_seal(struct scenario *s, struct message *m, const struct client *c);
/* EVEN-PORT, REQUESTED-TRANSPORT and the families: one byte and zeros. */
void message_put_u8(struct message *m, enum stun_attribute type, uint8_t value, size_t len);
void message_put_peer(struct message *m, const char *peer);
void message_put_text(struct message *m, enum stun_attribute type, const char *text);

/* Any bytes; the driver carries out what follows from them. */
void scenario_input(struct scenario *s, const struct client *c, struct span bytes);
/* A datagram from outside to a relay socket. */
void scenario_peer_input(struct scenario *s, const struct addr *relay_internal, const char *peer,
			 struct span data);
/* The host has these addresses from now on, as text, NULL at the end. Events are the last batch. */
void scenario_set_own(struct scenario *s, const char *const addresses[]);
/* An ICMP error about what a relay socket sent to a peer. */
void scenario_peer_error(struct scenario *s, const struct addr *relay_internal, const char *peer,
			 uint8_t type, uint8_t code, uint32_t mtu);
/* Seals if need be, and returns the one answer, checked: id, method, integrity, fingerprint. */
struct reply scenario_send(struct scenario *s, struct client *c, struct message *m);
/* Answers a TURN_OPEN_RELAY that was held. */
void scenario_release_bind(struct scenario *s, int worker);

/* Whole requests that most scenarios need. Each asserts success unless it returns the reply. */
struct reply scenario_allocate(struct scenario *s, struct client *c);
struct reply scenario_allocate_v6(struct scenario *s, struct client *c);
struct reply scenario_allocate_dual(struct scenario *s, struct client *c);
struct reply scenario_refresh(struct scenario *s, struct client *c, uint32_t lifetime_s);
struct reply scenario_permit(struct scenario *s, struct client *c, const char *peer);
struct reply scenario_bind(struct scenario *s, struct client *c, uint16_t number, const char *peer);
void scenario_send_indication(struct scenario *s, struct client *c, const char *peer,
			      const char *data);
void scenario_channel_data(struct scenario *s, struct client *c, uint16_t number, const char *data);

/* Attributes of replies; they fail the test if they are not there. */
struct addr reply_xor_address(const struct reply *r, enum stun_attribute type);
uint32_t reply_u32(const struct reply *r, enum stun_attribute type);
bool reply_has(const struct reply *r, enum stun_attribute type);
/* The relayed address of that family, as the client sees it. */
struct addr reply_relayed(const struct reply *r, enum addr_family family);

/* Events of the last input. */
size_t scenario_count(const struct scenario *s, enum turn_action_kind kind);
/* The first of its kind, or NULL. */
const struct event *scenario_event(const struct scenario *s, enum turn_action_kind kind);
struct span scenario_bytes(const struct scenario *s, const struct event *e);
/* Position of the first of its kind among the events; SIZE_MAX if there is none. */
size_t scenario_position(const struct scenario *s, enum turn_action_kind kind);

struct addr addr_of(const char *text);
size_t scenario_open_sockets(const struct scenario *s);
size_t scenario_live_flows(const struct scenario *s);
size_t scenario_live_senders(const struct scenario *s);
size_t scenario_live_grants(const struct scenario *s);
/* Ports of the range that are taken, found by asking for each. */
size_t scenario_taken_ports(const struct scenario *s);
uint64_t scenario_counter_sum(const struct scenario *s, size_t offset);
#define scenario_counter(s, name) scenario_counter_sum(s, offsetof(struct turn_counters, name))

static inline void assert_code(struct reply r, unsigned int expected)
{
	assert_true(r.any);
	assert_int_equal(r.code, expected);
}

static inline void assert_success(struct reply r)
{
	assert_code(r, 0);
}

#endif
