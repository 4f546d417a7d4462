/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clients of the scenarios: messages as real clients build them, and a strict reader of what
 * comes back.
 */
#include "flow/scenario.h"
#include "wire/channel_data.h"
#include "wire/integrity.h"

struct client client_make(const char *address, const char *user)
{
	struct client c = {
		.from = {.tuple = {.client = addr_of(address), .transport = TURN_UDP}, .path = 7},
		.user = user,
	};

	c.from.tuple.server = addr_of(c.from.tuple.client.family == ADDR_IPV6 ? "[2001:db8::1]:3478"
									      : "192.0.2.1:3478");
	return c;
}

void message_begin_class(struct message *m, struct client *c, uint16_t method, uint16_t class)
{
	uint8_t id[STUN_TRANSACTION_ID_LEN] = {0};

	c->transactions++;
	memcpy(id, &c->transactions, sizeof(c->transactions));
	id[11] = (uint8_t)c->from.tuple.client.port;
	m->w = writer_make(m->bytes, sizeof(m->bytes));
	m->sealed = false;
	stun_begin(&m->w, method, class, id);
}

void message_begin(struct message *m, struct client *c, uint16_t method)
{
	message_begin_class(m, c, method, STUN_CLASS_REQUEST);
}

void message_put_u8(struct message *m, enum stun_attribute type, uint8_t value, size_t len)
{
	uint8_t bytes[4] = {value};

	stun_put(&m->w, type, span_make(bytes, len));
}

void message_put_peer(struct message *m, const char *peer)
{
	struct addr a = addr_of(peer);

	stun_put_xor_address(&m->w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
}

void message_put_text(struct message *m, enum stun_attribute type, const char *text)
{
	stun_put(&m->w, type, span_of(text));
}

static void client_key(const struct client *c, uint8_t key[static CREDENTIALS_KEY_LEN])
{
	char usual[64];

	snprintf(usual, sizeof(usual), "%s-password", c->user);
	assert_int_equal(credentials_derive_key(span_of(c->user), span_of("example.org"),
						span_of(c->password ? c->password : usual), key),
			 0);
}

static void put_credentials(struct scenario *s, struct message *m, const struct client *c)
{
	char nonce[NONCE_LEN];
	uint8_t key[CREDENTIALS_KEY_LEN];

	nonce_make(s->config.nonce_key, &c->from.tuple.client, s->now.wall_s, nonce);
	message_put_text(m, STUN_ATTR_USERNAME, c->user);
	message_put_text(m, STUN_ATTR_REALM, c->realm ? c->realm : "example.org");
	stun_put(&m->w, STUN_ATTR_NONCE,
		 c->nonce ? span_of(c->nonce) : span_make(nonce, NONCE_LEN));
	client_key(c, key);
	stun_put_integrity(&m->w, span_make(key, sizeof(key)));
}

void message_seal(struct scenario *s, struct message *m, const struct client *c)
{
	int len;

	if (m->sealed)
		return;
	if (c->user)
		put_credentials(s, m, c);
	if (c->fingerprint)
		stun_put_fingerprint(&m->w);
	len = stun_end(&m->w);
	assert_true(len > 0);
	m->len = (size_t)len;
	m->sealed = true;
}

static const struct event *only_answer(const struct scenario *s)
{
	assert_true(scenario_count(s, TURN_SEND_CLIENT) <= 1);
	return scenario_event(s, TURN_SEND_CLIENT);
}

/* An authenticated answer is signed with the client's key; the others are not signed at all. */
static void check_signature(const struct client *c, const struct reply *reply)
{
	uint8_t key[CREDENTIALS_KEY_LEN];

	if (!reply->message.integrity_at) {
		assert_true(!c->user || reply->code == 400 || reply->code == 401 ||
			    reply->code == 438 || reply->message.method == STUN_METHOD_BINDING);
		return;
	}
	client_key(c, key);
	assert_true(stun_integrity_matches(&reply->message, span_make(key, sizeof(key))));
}

static void read_code(struct reply *reply)
{
	struct span value;

	if (reply->message.class == STUN_CLASS_SUCCESS)
		return;
	assert_int_equal(reply->message.class, STUN_CLASS_ERROR);
	assert_true(stun_find(&reply->message, STUN_ATTR_ERROR_CODE, &value));
	assert_true(value.len >= 4);
	reply->code = value.data[2] * 100U + value.data[3];
}

struct reply scenario_send(struct scenario *s, struct client *c, struct message *m)
{
	struct reply reply = {0};
	const struct event *e;
	struct span bytes;

	message_seal(s, m, c);
	scenario_input(s, c, span_make(m->bytes, m->len));
	e = only_answer(s);
	if (!e)
		return reply;
	bytes = scenario_bytes(s, e);
	assert_int_equal(stun_parse(bytes, &reply.message), bytes.len);
	assert_memory_equal(reply.message.transaction_id, m->bytes + 8, STUN_TRANSACTION_ID_LEN);
	assert_true(addr_equal(&e->action.send_client.client, &c->from.tuple.client));
	assert_int_equal(e->action.send_client.path, c->from.path);
	reply.any = true;
	read_code(&reply);
	check_signature(c, &reply);
	assert_int_equal(reply.message.fingerprint_at != 0, c->fingerprint);
	if (c->fingerprint)
		assert_true(stun_fingerprint_matches(&reply.message));
	return reply;
}

struct reply scenario_allocate(struct scenario *s, struct client *c)
{
	static struct message m;

	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	return scenario_send(s, c, &m);
}

struct reply scenario_allocate_v6(struct scenario *s, struct client *c)
{
	static struct message m;

	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_u8(&m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
	return scenario_send(s, c, &m);
}

struct reply scenario_allocate_dual(struct scenario *s, struct client *c)
{
	static struct message m;

	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_u8(&m, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
	return scenario_send(s, c, &m);
}

struct reply scenario_refresh(struct scenario *s, struct client *c, uint32_t lifetime_s)
{
	static struct message m;

	message_begin(&m, c, STUN_METHOD_REFRESH);
	stun_put_u32(&m.w, STUN_ATTR_LIFETIME, lifetime_s);
	return scenario_send(s, c, &m);
}

struct reply scenario_permit(struct scenario *s, struct client *c, const char *peer)
{
	static struct message m;

	message_begin(&m, c, STUN_METHOD_CREATE_PERMISSION);
	message_put_peer(&m, peer);
	return scenario_send(s, c, &m);
}

struct reply scenario_bind(struct scenario *s, struct client *c, uint16_t number, const char *peer)
{
	static struct message m;

	message_begin(&m, c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
	message_put_peer(&m, peer);
	return scenario_send(s, c, &m);
}

void scenario_send_indication(struct scenario *s, struct client *c, const char *peer,
			      const char *data)
{
	static struct message m;
	int len;

	message_begin_class(&m, c, STUN_METHOD_SEND, STUN_CLASS_INDICATION);
	message_put_peer(&m, peer);
	message_put_text(&m, STUN_ATTR_DATA, data);
	if (c->fingerprint)
		stun_put_fingerprint(&m.w);
	len = stun_end(&m.w);
	assert_true(len > 0);
	scenario_input(s, c, span_make(m.bytes, (size_t)len));
}

void scenario_channel_data(struct scenario *s, struct client *c, uint16_t number, const char *data)
{
	uint8_t bytes[2048];
	size_t len = strlen(data);

	assert_true(len + CHANNEL_DATA_HEADER_LEN <= sizeof(bytes));
	channel_data_header(number, len, bytes);
	memcpy(bytes + CHANNEL_DATA_HEADER_LEN, data, len);
	scenario_input(s, c, span_make(bytes, len + CHANNEL_DATA_HEADER_LEN));
}

bool reply_has(const struct reply *r, enum stun_attribute type)
{
	struct span value;

	return stun_find(&r->message, type, &value);
}

struct addr reply_xor_address(const struct reply *r, enum stun_attribute type)
{
	struct span value;
	struct addr a;

	assert_true(stun_find(&r->message, type, &value));
	assert_int_equal(stun_read_xor_address(&r->message, value, &a), 0);
	return a;
}

uint32_t reply_u32(const struct reply *r, enum stun_attribute type)
{
	struct span value;
	uint32_t v;

	assert_true(stun_find(&r->message, type, &value));
	assert_int_equal(stun_read_u32(value, &v), 0);
	return v;
}

struct addr reply_relayed(const struct reply *r, enum addr_family family)
{
	struct stun_attr attr;

	stun_foreach (&r->message, at, &attr) {
		struct addr a;

		if (attr.type == STUN_ATTR_XOR_RELAYED_ADDRESS &&
		    stun_read_xor_address(&r->message, attr.value, &a) == 0 && a.family == family)
			return a;
	}
	fail_msg("no relayed address of family %d", family);
	return (struct addr){0};
}
