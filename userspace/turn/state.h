/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of turn/ share: the tables, one request on its way through them, and the steps.
 * For this folder only; everyone else sees turn.h.
 *
 * Memory on 64 bits, for publishing: an allocation takes 600 bytes, a permission 104, a channel
 * 168, and each table of them 192 more with its first buckets: about 1,800 bytes for a call with
 * two peers on two channels. Nothing is allocated for a packet, and nothing for a stranger.
 */
#ifndef TURNPIKE_TURN_STATE_H
#define TURNPIKE_TURN_STATE_H

#include "turn/turn.h"

/* Running out of memory must fail one request, not end the process: uthash then leaves hh.tbl
 * NULL in what could not be added. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
/* Most allocations have a handful of permissions and channels; tables grow by themselves. */
#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS      8U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 3U

#include "base/macros.h"
#include "wire/stun.h"

/* RFC 8489 6.2.1: how long a client goes on retransmitting, 39.5 s, and so how long an answer is
 * given again. */
#define TURN_REPEAT_NS	       (40 * NSEC_PER_SEC)
/* Requests of one allocation whose answers are remembered at a time. */
#define TURN_REMEMBERED	       4
/* A port that another process holds: how many others we try. */
#define TURN_OPEN_ATTEMPTS_MAX 16
/* What the actions of one call have room for: see TURN_ACTIONS_MAX. */
#define TURN_CHANNELS_LIMIT    1024
#define TURN_PERMISSIONS_LIMIT 1024
#define TURN_FAREWELLS_MAX     65536
#define TURN_RELAYS	       2

/* Dense numbers: the lowest unused ones, or those that were given back, the last one first. */
struct ids {
	uint32_t *free;
	uint32_t free_count, room;
	uint32_t next; /* numbers below were handed out once */
};

/* 0 with a number below limit; -ENOSPC or -ENOMEM. */
int ids_take(struct ids *ids, uint32_t limit, uint32_t *ret);
void ids_give(struct ids *ids, uint32_t id);
void ids_clear(struct ids *ids);

struct permission {
	struct addr peer; /* key: port 0, internal form if it is a relay address of ours */
	bool own;	  /* it is: only ports that are allocations are peers */
	uint32_t grant;
	uint64_t expires_ns;
	uint64_t told_ns; /* as the last TURN_SET_GRANT said; 0: nothing was */
	UT_hash_handle hh;
};

struct channel {
	struct addr peer; /* key; internal form */
	uint16_t number;  /* key */
	bool own;
	uint32_t flow;
	uint64_t expires_ns;
	/* As the last TURN_SET_FLOW said. */
	uint64_t to_peer_expires_ns, to_client_expires_ns;
	UT_hash_handle hh_number, hh_peer;
};

/* RFC 8656 6: an allocation has one relayed transport address for each family, with an expiry. */
struct relay {
	struct addr internal; /* stays for retransmissions when the relay is gone */
	int handle;	      /* -1: none, the key otherwise */
	uint64_t expires_ns;
	uint64_t told_ns; /* as the last TURN_SET_SENDER said; 0: nothing was */
	struct allocation *allocation;
	UT_hash_handle hh;
};

/* What an answer needs to know of its request. */
struct envelope {
	struct turn_client client;
	uint16_t method;
	bool fingerprint;
	uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
	const struct credentials_user *user; /* NULL: not authenticated */
};

/* A success that is given again if its request comes again. */
struct remembered {
	uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
	uint16_t method; /* 0: unused */
	uint32_t lifetime_s;
	uint64_t until_ns;
};

/* What the success response to the Allocate said. */
struct grant {
	uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
	uint32_t lifetime_s;
	bool has_token;
	uint8_t token[PORTS_TOKEN_LEN];
	/* ADDRESS-ERROR-CODE of an ADDITIONAL-ADDRESS-FAMILY: 0 if there is none. */
	uint16_t failure[TURN_RELAYS];
	bool relayed[TURN_RELAYS];
};

/* An Allocate that waits for its relay sockets. */
struct opening {
	struct envelope envelope;
	enum addr_family families[TURN_RELAYS]; /* to open in turn; ADDR_NONE ends the list */
	unsigned int at;			/* the family that is being opened */
	unsigned int attempts;
	bool even, pair;
	struct addr taken;
};

struct allocation {
	struct turn_client client; /* tuple is the key */
	const struct credentials_user *user;
	uint32_t number;
	uint32_t timer_at; /* place in the heap; TIMER_NONE while opening */
	uint64_t due_ns;   /* nothing in here expires before that */
	uint64_t created_ns;
	struct relay relays[TURN_RELAYS]; /* IPv4, IPv6 */
	struct permission *permissions;	  /* by peer, in the order of their making */
	struct channel *channels;	  /* by number */
	struct channel *channels_by_peer;
	struct opening *opening; /* NULL once it serves */
	struct grant grant;
	struct remembered remembered[TURN_REMEMBERED];
	uint32_t remembered_next;
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
	/* When what was relayed so far is paid off: bandwidth.c. */
	uint64_t to_peer_paid_ns, to_client_paid_ns;
	uint64_t errors_paid_ns; /* the same for ICMP errors: peer_error.c */
	UT_hash_handle hh;
};

/* The Refresh that ended an allocation: its retransmissions find no allocation any more. */
struct farewell {
	struct five_tuple tuple; /* key */
	uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
	const struct credentials_user *user;
	uint64_t until_ns;
	UT_hash_handle hh;
};

struct turn {
	struct turn_config config;
	struct turn_counters counters;
	struct allocation *allocations; /* by five-tuple */
	struct relay *relays;		/* by handle */
	struct allocation **numbered;	/* by number */
	struct allocation **timers;	/* binary heap by due_ns */
	uint32_t timer_count, room;	/* room: of numbered and timers */
	uint32_t allocation_count;
	struct addr *own;		 /* what config.peers.own points to */
	struct quota *quota, *own_quota; /* own_quota: NULL if it is shared */
	uint32_t ns_per_kib;		 /* what 1024 bytes cost; 0: no limit of bandwidth */
	struct ids allocation_ids, flow_ids, grant_ids;
	struct farewell *farewells; /* oldest first */
};

/* One request or indication, with everything its handlers need. */
struct request {
	struct turn *turn;
	const struct turn_now *now;
	struct entropy *entropy;
	struct turn_actions *out;
	struct stun_message message;
	struct envelope envelope;
	struct allocation *allocation; /* of the five-tuple, or NULL */
};

/* turn.c: room in the actions is asserted; see TURN_ACTIONS_MAX. */
struct turn_action *action_add(struct turn_actions *out, enum turn_action_kind kind);
uint8_t *scratch_take(struct turn_actions *out, size_t len);

/* timer.c */
#define TIMER_NONE UINT32_MAX
void timer_add(struct turn *turn, struct allocation *a, uint64_t due_ns);
void timer_remove(struct turn *turn, struct allocation *a);
void timer_set(struct turn *turn, struct allocation *a, uint64_t due_ns);
/* Something in the allocation now expires at that time. */
void timer_bring_forward(struct turn *turn, struct allocation *a, uint64_t due_ns);

/* allocation.c */
struct allocation *allocation_find(const struct turn *turn, const struct five_tuple *tuple);
/* Takes over what the caller took from the quota, on success. NULL without memory. */
struct allocation *allocation_new(struct turn *turn, const struct envelope *envelope);
/* Ends its flows, closes its relays, frees it. */
void allocation_end(struct turn *turn, struct allocation *a, struct turn_actions *out);
/* Frees all of them without a word: whoever drives us closes every relay it has. */
void allocation_forget_all(struct turn *turn);
/* Puts one relay into service. -ENOMEM leaves it out. */
int allocation_add_relay(struct turn *turn, struct allocation *a, const struct addr *internal,
			 int handle);
/* Ends what belongs to that family: flows, permissions, then the relay. */
void allocation_drop_relay(struct turn *turn, struct allocation *a, enum addr_family family,
			   struct turn_actions *out);
/* Ends what has run out. True if that was the whole allocation: a is gone. */
bool allocation_expire(struct turn *turn, struct allocation *a, uint64_t now_ns,
		       struct turn_actions *out);
/* NULL if it has none of that family, or no more. */
struct relay *allocation_relay(struct allocation *a, enum addr_family family);
bool allocation_has_relay(const struct allocation *a);
static inline unsigned int relay_index(enum addr_family family)
{
	return family == ADDR_IPV6 ? 1 : 0;
}

/* answer.c */
struct writer answer_begin(const struct envelope *envelope, uint16_t class,
			   struct turn_actions *out);
/* Adds integrity and fingerprint, and sends. */
void answer_send(const struct envelope *envelope, struct writer *w, struct turn_actions *out);
/* reason may be NULL: the usual one, or none for those who are not authenticated. */
void answer_error(struct turn *turn, const struct envelope *envelope, unsigned int code,
		  const char *reason, struct turn_actions *out);
void answer_challenge(struct request *r, unsigned int code);
void answer_unknown_attributes(struct request *r, const uint16_t types[], size_t count);
/* Success, with LIFETIME for a Refresh. */
void answer_success(struct request *r, uint32_t lifetime_s);
void answer_granted(struct turn *turn, const struct allocation *a, const struct envelope *envelope,
		    struct turn_actions *out);

/* authenticate.c: 0, and r->envelope.user is set; or the error code. */
unsigned int authenticate_request(struct request *r);

/* repeat.c */
/* The request was answered with success before: true, and with which lifetime. */
bool repeat_find(const struct request *r, uint32_t *ret_lifetime_s);
bool repeat_is_allocate(const struct request *r);
void repeat_remember(const struct request *r, uint32_t lifetime_s);
/* Remembers that this Refresh ended the allocation. Without memory it does not. */
void repeat_say_farewell(const struct request *r);
void repeat_forget(struct turn *turn, uint64_t now_ns);
void repeat_forget_all(struct turn *turn);

/* peer.c */
/* The peer's address as relays send to it; *ret_own if it is one of ours. */
struct addr peer_internal(const struct turn *turn, const struct addr *peer, bool *ret_own);
/* NULL, or the rule that forbids packets to that IP. Counted. */
const char *peer_denied(struct turn *turn, const struct addr *peer);

/* The handlers: each answers, or leaves actions that lead to an answer. */
void binding_request(struct request *r);
void allocate_request(struct request *r);
void refresh_request(struct request *r);
void permission_request(struct request *r);
void channel_request(struct request *r);

/* attributes.c */
/* Comprehension-required attributes that we do not understand; how many, at most max. */
size_t attributes_unknown(const struct stun_message *message, uint16_t ret[], size_t max);
/* RFC 8656 7.2: the granted value for what LIFETIME asks. 0 or -EBADMSG. */
int lifetime_wanted(const struct stun_message *message, bool zero_deletes, uint32_t *ret_s);
/* REQUESTED-ADDRESS-FAMILY and its like: absent is ADDR_NONE; 0, 400 or 440. */
unsigned int family_wanted(const struct stun_message *message, enum stun_attribute type,
			   enum addr_family *ret);

/* permission.c */
struct permission *permission_find(const struct allocation *a, const struct addr *peer);
/* Finds or makes one with expires_ns 0. NULL if the table is full. */
struct permission *permission_make(struct turn *turn, struct allocation *a, const struct addr *peer,
				   bool own);
void permission_refresh(struct turn *turn, struct allocation *a, struct permission *p,
			uint64_t now_ns);
void permission_free(struct turn *turn, struct allocation *a, struct permission *p,
		     struct turn_actions *out);

/* channel.c */
struct channel *channel_by_number(const struct allocation *a, uint16_t number);
struct channel *channel_by_peer(const struct allocation *a, const struct addr *peer);
void channel_free(struct turn *turn, struct allocation *a, struct channel *c,
		  struct turn_actions *out);

/* publish.c */
/* Tells of each sender, grant and flow that is new or whose expiry has changed. */
void publish_all(const struct turn *turn, struct allocation *a, struct turn_actions *out);
/* Before it ends; what was never told needs no end. */
void publish_end_of_sender(const struct allocation *a, struct relay *relay,
			   struct turn_actions *out);
void publish_end_of_grant(const struct permission *p, struct turn_actions *out);
void publish_end_of_flow(const struct channel *c, struct turn_actions *out);
/* Allocations have dense numbers, and so have their senders. */
static inline uint32_t publish_sender_number(const struct allocation *a, const struct relay *relay)
{
	return a->number * TURN_RELAYS + (uint32_t)(relay - a->relays);
}

/* bandwidth.c */
#define TURN_BURST_MS 100
/* What 1024 bytes cost in nanoseconds; 0 for no limit. */
uint32_t bandwidth_cost(uint64_t bits_per_second);
/* True if so much data may pass now; then it is paid for. */
bool bandwidth_allows(const struct turn *turn, uint64_t *paid_ns, uint64_t now_ns, size_t len);

/* relay_data.c */
void relay_send_indication(struct request *r);
void relay_channel_data(struct turn *turn, const struct turn_now *now,
			const struct turn_client *from, struct span datagram,
			struct turn_actions *out);
/*
 * The permission for the peer's IP, if it has not run out; *peer becomes the internal form, which
 * tables and sockets have.
 */
struct permission *relay_live_permission(const struct turn *turn, const struct allocation *a,
					 const struct turn_now *now, struct addr *peer);
/* The peer as the client knows it. */
struct addr relay_shown_peer(const struct turn *turn, const struct permission *p,
			     const struct addr *peer);
/* A datagram to the allocation's client, its parts to be filled in. */
struct turn_action *relay_send_client(const struct allocation *a, struct turn_actions *out);

_Static_assert(sizeof(struct allocation) <= 600 && sizeof(struct permission) <= 104 &&
		       sizeof(struct channel) <= 168,
	       "the sizes published above");

#endif
