/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TURN server as a state machine, RFC 8656 with RFC 8489: bytes and time in, actions out. It
 * owns allocations, permissions and channels. It sees no socket, clock, random source, log or
 * map: time and randomness come with each call, and whoever drives it (daemon/conductor.c, or a
 * test) carries the actions out, in order.
 *
 * One struct turn belongs to one thread and has the allocations of the clients that reach it.
 */
#ifndef TURNPIKE_TURN_TURN_H
#define TURNPIKE_TURN_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/credentials.h"
#include "auth/nonce.h"
#include "base/addr.h"
#include "base/entropy.h"
#include "base/span.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"

/* RFC 8656 3.2, 7.2, 9, 12: lifetimes in seconds. */
#define TURN_LIFETIME_DEFAULT_S	   600
#define TURN_LIFETIME_MAX_S	   3600
#define TURN_PERMISSION_LIFETIME_S 300
#define TURN_CHANNEL_LIFETIME_S	   600
#define TURN_RESERVATION_S	   30

/* Entropy that the driver has ready before each call. */
#define TURN_ENTROPY_MIN 256

/* Why a message had no effect, and what happened. X(name, meaning) */
#define TURN_COUNTERS(X)                                                                           \
	X(binding_requests, "Binding requests answered")                                           \
	X(allocate_requests, "Allocate requests")                                                  \
	X(refresh_requests, "Refresh requests")                                                    \
	X(create_permission_requests, "CreatePermission requests")                                 \
	X(channel_bind_requests, "ChannelBind requests")                                           \
	X(success_responses, "success responses sent")                                             \
	X(error_400, "answers 400 Bad Request")                                                    \
	X(error_401, "answers 401 Unauthenticated")                                                \
	X(error_403, "answers 403 Forbidden")                                                      \
	X(error_420, "answers 420 Unknown Attribute")                                              \
	X(error_437, "answers 437 Allocation Mismatch")                                            \
	X(error_438, "answers 438 Stale Nonce")                                                    \
	X(error_440, "answers 440 Address Family not Supported")                                   \
	X(error_441, "answers 441 Wrong Credentials")                                              \
	X(error_442, "answers 442 Unsupported Transport Protocol")                                 \
	X(error_443, "answers 443 Peer Address Family Mismatch")                                   \
	X(error_486, "answers 486 Allocation Quota Reached")                                       \
	X(error_508, "answers 508 Insufficient Capacity")                                          \
	X(retransmissions, "requests answered again without a second effect")                      \
	X(allocations_created, "allocations made")                                                 \
	X(allocations_expired, "allocations that ran out")                                         \
	X(allocations_deleted, "allocations that their client ended")                              \
	X(peers_denied, "peers refused by policy")                                                 \
	X(peers_withdrawn, "permissions and channels ended: the peer became an own address")       \
	X(refused_ports_ipv4, "relayed IPv4 addresses refused: no free port in relay.ports")       \
	X(refused_ports_ipv6, "relayed IPv6 addresses refused: no free port in relay.ports")       \
	X(refused_binds, "relayed addresses refused: ports were free but could not be bound")      \
	X(refused_reservations, "pairs of ports refused: too many wait for their second Allocate") \
	X(refused_token, "Allocates refused: a RESERVATION-TOKEN that nobody holds")               \
	X(refused_allocations, "Allocates refused: limits.allocations is reached")                 \
	X(refused_permissions, "requests refused: limits.permissions_per_allocation is reached")   \
	X(refused_channels, "ChannelBinds refused: limits.channels_per_allocation is reached")     \
	X(to_peer_packets, "datagrams relayed to peers by the daemon")                             \
	X(to_peer_bytes, "bytes of application data in them")                                      \
	X(to_client_packets, "datagrams relayed to clients by the daemon")                         \
	X(to_client_bytes, "bytes of application data in them")                                    \
	X(drop_not_stun, "neither STUN nor ChannelData")                                           \
	X(drop_bad_stun, "malformed STUN messages")                                                \
	X(drop_fingerprint, "a FINGERPRINT that is wrong")                                         \
	X(drop_unexpected, "responses, unknown methods, indications that are no Send")             \
	X(drop_bad_channel_data, "malformed ChannelData messages")                                 \
	X(drop_no_allocation, "data from a client without an allocation")                          \
	X(drop_no_channel, "ChannelData on a number that is not bound")                            \
	X(drop_no_permission, "data to or from a peer without a permission")                       \
	X(drop_bad_send, "Send indications without peer or data, or with what we do not know")     \
	X(drop_peer_family, "Send indications to a family the allocation has not")                 \
	X(drop_peer_denied, "data to an address of this host that is no allocation")               \
	X(drop_too_large, "data that the datagram to its receiver cannot hold")                    \
	X(drop_over_bandwidth, "data beyond limits.bandwidth_per_allocation")                      \
	X(icmp_unreachable, "clients told that a peer cannot be reached")                          \
	X(icmp_too_large, "clients told the MTU of the way to a peer")                             \
	X(icmp_time_exceeded, "clients told that hops ran out on the way to a peer")               \
	X(drop_icmp_kind, "ICMP errors of a type that clients are not told")                       \
	X(drop_icmp_no_permission, "ICMP errors about a peer without a permission")                \
	X(drop_icmp_rate, "ICMP errors beyond what one allocation is told of")

struct turn_counters {
#define X(name, meaning) uint64_t name;
	TURN_COUNTERS(X)
#undef X
};

enum turn_transport {
	TURN_UDP = 17, /* protocol numbers, as in REQUESTED-TRANSPORT */
};

struct five_tuple {
	struct addr client, server;
	uint8_t transport; /* enum turn_transport, between client and server */
	uint8_t zero[3];
};

/* A client as the driver reaches it. */
struct turn_client {
	struct five_tuple tuple;
	uint32_t path; /* the driver's number of the socket; turn only hands it back */
};

struct turn_now {
	uint64_t mono_ns; /* CLOCK_MONOTONIC: expiry */
	uint64_t wall_s;  /* CLOCK_REALTIME: nonces */
};

struct turn_config {
	const struct credentials *credentials;
	uint8_t nonce_key[NONCE_KEY_LEN];
	uint32_t nonce_lifetime_s;
	struct peer_policy peers;
	struct ports *ports; /* shared between workers */
	/* Shared between workers, with the two limits below in it; NULL: this worker is alone. */
	struct quota *quota;
	uint32_t allocations_max;
	uint32_t allocations_per_user; /* 0: unlimited */
	uint32_t permissions_per_allocation;
	uint32_t channels_per_allocation;
	uint64_t bandwidth_bps; /* of an allocation, each way, application data; 0: unlimited */
};

/*
 * What the kernel path needs to carry one channel, both ways. `flow` is a dense number below
 * turn_flow_limit(), unique among this worker's live channels.
 */
struct turn_flow {
	uint32_t flow;
	uint32_t allocation; /* number of the allocation in this worker */
	struct five_tuple tuple;
	struct addr relayed; /* internal */
	struct addr peer;    /* as packets carry it: internal if it is an allocation of ours */
	bool peer_is_allocation;
	uint16_t channel;
	uint64_t to_peer_expires_ns;   /* min(channel, allocation) */
	uint64_t to_client_expires_ns; /* min(permission, channel, allocation) */
};

/*
 * What the kernel path needs to carry Send indications to peers of one family: from whom, and
 * with which source address. Where they may go is the grants' to say. `sender` is a dense number
 * below twice the most allocations there ever were: the allocation's, doubled, and 1 for IPv6.
 */
struct turn_sender {
	uint32_t sender;
	uint32_t allocation;
	struct five_tuple tuple;
	struct addr relayed; /* internal */
	uint64_t expires_ns; /* the relay's */
};

/*
 * What the kernel path needs to know of one permission: Send indications may go to this IP, and
 * what comes from it and has no channel becomes Data indications. `grant` is a dense number below
 * turn_grant_limit(), unique among this worker's live permissions.
 */
struct turn_grant {
	uint32_t grant;
	uint32_t allocation;
	struct five_tuple tuple;
	struct addr relayed; /* internal */
	struct addr peer;    /* port 0; internal if it is a relay address of ours */
	bool peer_is_relay;  /* it is: then only ports that are allocations are peers */
	/* Clients know the peer by another address than packets have (1:1 NAT). Only the daemon
	 * writes that one into indications: the kernel path must not carry them. */
	bool peer_is_renamed;
	uint64_t expires_ns; /* min(permission, allocation) */
};

/*
 * Senders, grants and flows are set before the answer to the request that made them, and removed
 * before the relay that they need is closed. An allocation's senders are set before its grants and
 * flows, and removed after them.
 */
enum turn_action_kind {
	TURN_SEND_CLIENT,
	TURN_SEND_PEER,
	TURN_OPEN_RELAY,
	TURN_CLOSE_RELAY,
	TURN_ATTACH_RELAY, /* a reserved relay found its allocation: now receive from it */
	TURN_SET_FLOW,	   /* add, or change expiry: the same flow number again */
	TURN_REMOVE_FLOW,
	TURN_SET_SENDER, /* add, or change expiry */
	TURN_REMOVE_SENDER,
	TURN_SET_GRANT, /* add, or change expiry */
	TURN_REMOVE_GRANT,
};

#define TURN_PARTS 3

struct turn_action {
	enum turn_action_kind kind;
	union {
		/* Parts are sent back to back as one datagram. They point into the input, into the
		 * actions' scratch, or at constants: valid until the list is cleared. */
		struct {
			uint32_t path;
			struct addr client;
			struct span parts[TURN_PARTS];
		} send_client;
		struct {
			int relay;
			struct addr peer;
			bool dont_fragment;
			struct span data;
		} send_peer;
		/* Bind a UDP socket to `internal`, with `pair` another to the port after it, both
		 * or none. Answer with turn_relay_opened, before any other call. */
		struct {
			uint32_t ticket;
			struct addr internal;
			bool pair;
		} open_relay;
		struct {
			int relay;
		} close_relay, attach_relay;
		struct turn_flow set_flow;
		struct {
			uint32_t flow;
		} remove_flow;
		struct turn_sender set_sender;
		struct {
			uint32_t sender;
		} remove_sender;
		struct turn_grant set_grant;
		struct {
			uint32_t grant;
		} remove_grant;
	};
};

/*
 * The most that one call leaves: an allocation with 1024 channels and 1024 permissions, of which
 * everything had run out, is permitted 1024 peers anew; two senders, two relays, an answer.
 */
#define TURN_ACTIONS_MAX 3100
#define TURN_SCRATCH_MAX 4096

/* Filled by the calls below, cleared by the driver between them (turn_actions_clear). */
struct turn_actions {
	size_t count;
	struct turn_action items[TURN_ACTIONS_MAX];
	size_t scratch_used;
	uint8_t scratch[TURN_SCRATCH_MAX];
};

static inline void turn_actions_clear(struct turn_actions *actions)
{
	actions->count = 0;
	actions->scratch_used = 0;
}

struct turn;

/* Copies config and the own addresses in it; what else it points to must outlive the result. 0,
 * -EINVAL (a limit of 0, more than 1024 channels or permissions) or -ENOMEM. */
int turn_new(const struct turn_config *config, struct turn **ret);
/* Forgets everything and gives the ports back; relays are the driver's to close (it knows them
 * all), and reservations are still in the ports. Takes NULL. */
void turn_free(struct turn **turn);

/* One datagram from a client. Never fails: what cannot be served is counted. */
void turn_client_input(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		       const struct turn_client *from, struct span datagram,
		       struct turn_actions *out);

/* One datagram from a peer to a relay. */
void turn_peer_input(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		     int relay, const struct addr *peer, struct span data,
		     struct turn_actions *out);

/* An ICMP error about a datagram that a relay sent to a peer, or what is the same: a datagram that
 * the host itself found too large for the path. */
struct turn_peer_error {
	struct addr peer;   /* where the datagram went */
	uint8_t type, code; /* of ICMP or ICMPv6, by the peer's family */
	uint32_t mtu;	    /* of the next hop, with "fragmentation needed" or "packet too big" */
};

/* Tells the client by a Data indication, RFC 8656 11.5, if a permission for the peer exists. */
void turn_peer_error(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		     int relay, const struct turn_peer_error *error, struct turn_actions *out);

struct turn_relay_result {
	int error;    /* 0 or -errno of the bind: -EADDRINUSE makes it try another port */
	int relay;    /* handle of the socket, >= 0 */
	int reserved; /* of the second one of a pair, else -1; not yet to be received from */
};

/* The outcome of TURN_OPEN_RELAY. Answers the client, or asks for another port. */
void turn_relay_opened(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		       uint32_t ticket, const struct turn_relay_result *result,
		       struct turn_actions *out);

/*
 * The host has these own addresses from now on; copied. What is permitted already is ended by
 * turn_end_denied. 0, or -ENOMEM and nothing has changed.
 */
int turn_set_own(struct turn *turn, const struct addr *own, size_t count);
/*
 * Ends the permissions and channels whose peer the policy denies by now. Returns true if there was
 * more than fits in the actions: carry them out, clear, and call again.
 */
bool turn_end_denied(struct turn *turn, struct turn_actions *out);

/*
 * Expires what is due. Returns true if there was more than fits in the actions: carry them out,
 * clear, and call again.
 */
bool turn_tick(struct turn *turn, const struct turn_now *now, struct turn_actions *out);
/* When turn_tick is next needed, in CLOCK_MONOTONIC ns; UINT64_MAX for never. */
uint64_t turn_next_tick(const struct turn *turn);

const struct turn_counters *turn_counters(const struct turn *turn);
/* One more than the largest flow or grant number that turn can ever use. */
uint32_t turn_flow_limit(const struct turn *turn);
uint32_t turn_grant_limit(const struct turn *turn);
uint32_t turn_allocation_count(const struct turn *turn);

/* Snapshots for people, valid during the callback. */
struct turn_permission_view {
	struct addr peer; /* port 0 */
	uint64_t expires_ns;
};

struct turn_channel_view {
	uint32_t flow;
	uint16_t number;
	struct addr peer;
	uint64_t expires_ns;
};

struct turn_allocation_view {
	uint32_t allocation;
	struct turn_client client;
	const char *user;
	struct addr relayed[2]; /* external; family ADDR_NONE where there is none */
	uint64_t created_ns, expires_ns;
	const struct turn_permission_view *permissions;
	size_t permission_count;
	const struct turn_channel_view *channels;
	size_t channel_count;
	/* What the daemon relayed; the kernel's share is in the flows. */
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
};

void turn_visit(const struct turn *turn,
		void (*visit)(void *ctx, const struct turn_allocation_view *view), void *ctx);

#endif
