/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that allocate, permit and bind as real ones do, at different times before now. See
 * twin_clients.h. Knows nothing of the kernel path.
 */
#include "twin_clients.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/macros.h"
#include "twin_flows.h"
#include "wire/integrity.h"
#include "wire/stun.h"

#define AGED_S	      400 /* permissions are over, channels live */
#define OLD_S	      700 /* channels are over too, and so is an allocation of the usual length */
#define LONG_S	      3600
#define BINDS	      6
#define PERMITS	      4
#define PEERS_EACH    8
#define CHANNELS_SAME 8

enum age {
	FRESH,
	AGED,	     /* data goes up only */
	RENEWED,     /* aged, and then its channels were bound again */
	OLD,	     /* a long allocation whose channels and permissions are over */
	REPERMITTED, /* old, but for its permissions */
	EXPIRED,     /* the allocation is over, and no tick has come to end it */
	DELETED,     /* by its client */
};

static const struct {
	uint8_t client; /* family towards the client */
	bool ipv4, ipv6;
	enum age age;
} kinds[TWIN_CLIENTS] = {
	{4, true, false, FRESH},  {4, true, false, FRESH},	{4, true, true, FRESH},
	{4, false, true, FRESH},  {6, false, true, FRESH},	{6, false, true, FRESH},
	{6, true, true, FRESH},	  {6, true, false, FRESH},	{4, true, true, AGED},
	{6, true, true, AGED},	  {4, true, true, RENEWED},	{6, false, true, RENEWED},
	{4, true, true, OLD},	  {6, true, true, REPERMITTED}, {4, true, true, EXPIRED},
	{6, true, true, DELETED},
};

struct request {
	uint8_t bytes[1024];
	struct writer w;
};

static void begin(struct twin_world *w, struct request *r, uint16_t method)
{
	uint8_t id[STUN_TRANSACTION_ID_LEN] = {0};

	w->transactions++;
	memcpy(id, &w->transactions, sizeof(w->transactions));
	r->w = writer_make(r->bytes, sizeof(r->bytes));
	stun_begin(&r->w, method, STUN_CLASS_REQUEST, id);
}

/* Sends the request at a time in the past. */
static void submit(struct twin_world *w, const struct twin_client *c, struct request *r,
		   uint64_t ago_s)
{
	uint8_t key[CREDENTIALS_KEY_LEN], nonce_key[NONCE_KEY_LEN];
	char nonce[NONCE_LEN];
	int len;

	twin_world_set_clock(w);
	w->now.mono_ns -= ago_s * NSEC_PER_SEC;
	memset(nonce_key, TWIN_NONCE_KEY, sizeof(nonce_key));
	nonce_make(nonce_key, &c->from.tuple.client, w->now.wall_s, nonce);
	assert_int_equal(credentials_derive_key(span_of(TWIN_USER), span_of(TWIN_REALM),
						span_of(TWIN_PASSWORD), key),
			 0);
	stun_put(&r->w, STUN_ATTR_USERNAME, span_of(TWIN_USER));
	stun_put(&r->w, STUN_ATTR_REALM, span_of(TWIN_REALM));
	stun_put(&r->w, STUN_ATTR_NONCE, span_make(nonce, sizeof(nonce)));
	stun_put_integrity(&r->w, span_make(key, sizeof(key)));
	len = stun_end(&r->w);
	assert_true(len > 0);
	turn_client_input(w->turn, &w->now, &w->entropy, &c->from, span_make(r->bytes, (size_t)len),
			  &w->out);
	twin_flows_carry_out(w);
	turn_actions_clear(&w->out);
}

static uint64_t begun_ago(enum age age)
{
	static const uint64_t ago[] = {
		[AGED] = AGED_S,       [RENEWED] = AGED_S, [OLD] = OLD_S,
		[REPERMITTED] = OLD_S, [EXPIRED] = OLD_S,  [DELETED] = 0,
	};

	return ago[age];
}

static void allocate(struct twin_world *w, size_t i)
{
	static const uint8_t udp[4] = {TURN_UDP}, ipv6[4] = {STUN_FAMILY_IPV6};
	bool is_long = kinds[i].age == OLD || kinds[i].age == REPERMITTED;
	size_t relays = w->relay_count;
	struct request r;

	begin(w, &r, STUN_METHOD_ALLOCATE);
	stun_put(&r.w, STUN_ATTR_REQUESTED_TRANSPORT, span_make(udp, sizeof(udp)));
	if (is_long)
		stun_put_u32(&r.w, STUN_ATTR_LIFETIME, LONG_S);
	if (!kinds[i].ipv4)
		stun_put(&r.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, span_make(ipv6, sizeof(ipv6)));
	else if (kinds[i].ipv6)
		stun_put(&r.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, span_make(ipv6, sizeof(ipv6)));
	submit(w, &w->clients[i], &r, begun_ago(kinds[i].age));
	assert_int_equal(w->relay_count, relays + kinds[i].ipv4 + kinds[i].ipv6);
}

static const struct addr *draw_peer(struct twin_world *w, size_t i)
{
	for (;;) {
		const struct addr *peer =
			&w->peers[twin_below(&w->random, (uint32_t)w->peer_count)];

		if (peer->family == ADDR_IPV4 ? kinds[i].ipv4 : kinds[i].ipv6)
			return peer;
	}
}

static void permit(struct twin_world *w, size_t i, const struct addr *peer, uint64_t ago_s)
{
	struct request r;

	begin(w, &r, STUN_METHOD_CREATE_PERMISSION);
	stun_put_xor_address(&r.w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	submit(w, &w->clients[i], &r, ago_s);
}

/* Refused if the number or the peer is bound otherwise already, which is fine here. */
static void bind_channel(struct twin_world *w, size_t i, uint16_t number, const struct addr *peer,
			 uint64_t ago_s)
{
	struct request r;

	begin(w, &r, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&r.w, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
	stun_put_xor_address(&r.w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	submit(w, &w->clients[i], &r, ago_s);
}

/* Few numbers, so that clients use the same ones for other peers; the ends of the range too. */
static uint16_t draw_number(struct twin_random *random)
{
	uint16_t step = (uint16_t)twin_below(random, CHANNELS_SAME);

	return twin_chance(random, 80) ? (uint16_t)(CHANNEL_NUMBER_MIN + step)
				       : (uint16_t)(CHANNEL_NUMBER_MAX - step);
}

static void open_ways(struct twin_world *w, size_t i)
{
	uint64_t ago_s = begun_ago(kinds[i].age);

	for (int n = 0; n < BINDS; n++) {
		const struct addr *peer = draw_peer(w, i);
		uint16_t number = draw_number(&w->random);

		bind_channel(w, i, number, peer, ago_s);
		if (kinds[i].age == RENEWED && n % 2)
			bind_channel(w, i, number, peer, 0);
		if (kinds[i].age == REPERMITTED && n % 2)
			permit(w, i, peer, 0);
	}
	for (int n = 0; n < PERMITS; n++)
		permit(w, i, draw_peer(w, i), ago_s);
}

static void delete (struct twin_world *w, size_t i)
{
	struct request r;

	begin(w, &r, STUN_METHOD_REFRESH);
	stun_put_u32(&r.w, STUN_ATTR_LIFETIME, 0);
	submit(w, &w->clients[i], &r, 0);
}

static void add_peer(struct twin_world *w, struct addr peer)
{
	assert_true(w->peer_count < TWIN_PEERS_MAX);
	w->peers[w->peer_count++] = peer;
}

/* Hosts outside, several ports on each, some clients, and what was allocated here. */
static void make_peers(struct twin_world *w)
{
	uint8_t v4[4] = {198, 51, 100, 0}, v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x0e};

	for (int i = 0; i < PEERS_EACH; i++) {
		uint16_t port = (uint16_t)(5000 + twin_below(&w->random, 3));

		v4[3] = (uint8_t)(1 + twin_below(&w->random, 4));
		v6[15] = (uint8_t)(1 + twin_below(&w->random, 4));
		add_peer(w, addr_make_v4(v4, port));
		add_peer(w, addr_make_v6(v6, port));
	}
	for (size_t i = 0; i < 8; i += 3)
		add_peer(w, w->clients[i].from.tuple.client);
	for (size_t i = 0; i < w->relay_count; i++)
		if (twin_chance(&w->random, 50))
			add_peer(w, ports_to_external(w->ports, &w->relays[i].internal));
}

static void make_client(struct twin_world *w, size_t i)
{
	uint8_t v4[4] = {203, 0, 113, 0}, v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x0c};
	struct turn_client *from = &w->clients[i].from;

	/* Two by two behind one address. */
	v4[3] = v6[15] = (uint8_t)(1 + i / 2);
	from->path = kinds[i].client == ADDR_IPV4 ? 0 : 1;
	from->tuple.client = kinds[i].client == ADDR_IPV4 ? addr_make_v4(v4, 0)
							  : addr_make_v6(v6, 0);
	from->tuple.client.port = (uint16_t)(40000 + i % 2 + 2 * twin_below(&w->random, 1000));
	from->tuple.server = w->listeners[from->path];
	from->tuple.transport = TURN_UDP;
}

void twin_clients_populate(struct twin_world *w)
{
	for (size_t i = 0; i < TWIN_CLIENTS; i++) {
		make_client(w, i);
		allocate(w, i);
	}
	make_peers(w);
	for (size_t i = 0; i < TWIN_CLIENTS; i++)
		open_ways(w, i);
	for (size_t i = 0; i < TWIN_CLIENTS; i++)
		if (kinds[i].age == DELETED)
			delete (w, i);
}
