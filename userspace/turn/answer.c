/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Responses: to whom, with what, and signed how. A response to an authenticated request carries
 * MESSAGE-INTEGRITY (RFC 8489 9.2.4); FINGERPRINT comes where the request had one. Strangers get
 * no SOFTWARE and no reason phrase: nothing that makes an answer larger than it must be.
 */
#include "turn/state.h"
#include "wire/integrity.h"

/* The largest is a success to Allocate with two IPv6-sized addresses: under 200 bytes. The largest
 * with a reason, a realm and a nonce: under 300. */
#define ANSWER_MAX 512

struct writer answer_begin(const struct envelope *envelope, uint16_t class,
			   struct turn_actions *out)
{
	struct writer w = writer_make(scratch_take(out, ANSWER_MAX), ANSWER_MAX);

	stun_begin(&w, envelope->method, class, envelope->transaction_id);
	return w;
}

void answer_send(const struct envelope *envelope, struct writer *w, struct turn_actions *out)
{
	struct turn_action *action = action_add(out, TURN_SEND_CLIENT);

	if (envelope->user)
		stun_put_integrity(w, span_make(envelope->user->key, CREDENTIALS_KEY_LEN));
	if (envelope->fingerprint)
		stun_put_fingerprint(w);

	int len = stun_end(w);

	ASSERT(len > 0);
	action->send_client.path = envelope->client.path;
	action->send_client.client = envelope->client.tuple.client;
	action->send_client.parts[0] = span_make(w->start, (size_t)len);
	/* Scratch that the answer did not need is there for the next one. */
	out->scratch_used -= w->size - (size_t)len;
}

static const char *usual_reason(unsigned int code)
{
	switch (code) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthenticated";
	case 403:
		return "Forbidden";
	case 420:
		return "Unknown Attribute";
	case 437:
		return "Allocation Mismatch";
	case 438:
		return "Stale Nonce";
	case 440:
		return "Address Family not Supported";
	case 441:
		return "Wrong Credentials";
	case 442:
		return "Unsupported Transport Protocol";
	case 443:
		return "Peer Address Family Mismatch";
	case 486:
		return "Allocation Quota Reached";
	case 508:
		return "Insufficient Capacity";
	}
	ASSERT(!"an error code without a name");
	return "";
}

static void count_error(struct turn_counters *counters, unsigned int code)
{
#define COUNT(number)       \
	if (code == number) \
		counters->error_##number++;
	COUNT(400)
	COUNT(401)
	COUNT(403)
	COUNT(420)
	COUNT(437)
	COUNT(438)
	COUNT(440)
	COUNT(441)
	COUNT(442)
	COUNT(443)
	COUNT(486)
	COUNT(508)
#undef COUNT
}

static struct writer begin_error(struct turn *turn, const struct envelope *envelope,
				 unsigned int code, const char *reason, struct turn_actions *out)
{
	struct writer w = answer_begin(envelope, STUN_CLASS_ERROR, out);

	if (!reason)
		reason = usual_reason(code);
	stun_put_error(&w, code, envelope->user ? reason : "");
	count_error(&turn->counters, code);
	return w;
}

void answer_error(struct turn *turn, const struct envelope *envelope, unsigned int code,
		  const char *reason, struct turn_actions *out)
{
	struct writer w = begin_error(turn, envelope, code, reason, out);

	answer_send(envelope, &w, out);
}

/* RFC 8489 9.2.4: 401 and 438 say what to authenticate with. */
void answer_challenge(struct request *r, unsigned int code)
{
	struct turn *turn = r->turn;
	struct writer w = begin_error(turn, &r->envelope, code, NULL, r->out);
	char nonce[NONCE_LEN];

	nonce_make(turn->config.nonce_key, &r->envelope.client.tuple.client, r->now->wall_s, nonce);
	stun_put(&w, STUN_ATTR_REALM, span_of(credentials_realm(turn->config.credentials)));
	stun_put(&w, STUN_ATTR_NONCE, span_make(nonce, sizeof(nonce)));
	answer_send(&r->envelope, &w, r->out);
}

void answer_unknown_attributes(struct request *r, const uint16_t types[], size_t count)
{
	struct writer w = begin_error(r->turn, &r->envelope, 420, NULL, r->out);

	stun_put_unknown_attributes(&w, types, count);
	answer_send(&r->envelope, &w, r->out);
}

void answer_success(struct request *r, uint32_t lifetime_s)
{
	struct writer w = answer_begin(&r->envelope, STUN_CLASS_SUCCESS, r->out);

	if (r->envelope.method == STUN_METHOD_REFRESH)
		stun_put_u32(&w, STUN_ATTR_LIFETIME, lifetime_s);
	r->turn->counters.success_responses++;
	answer_send(&r->envelope, &w, r->out);
}

/* RFC 8656 7.2 lists what is in it. The same bytes for a retransmission, whatever happened since.
 */
void answer_granted(struct turn *turn, const struct allocation *a, const struct envelope *envelope,
		    struct turn_actions *out)
{
	static const enum addr_family families[TURN_RELAYS] = {ADDR_IPV4, ADDR_IPV6};
	const struct grant *grant = &a->grant;
	struct writer w = answer_begin(envelope, STUN_CLASS_SUCCESS, out);

	for (unsigned int i = 0; i < TURN_RELAYS; i++) {
		struct addr shown = ports_to_external(turn->config.ports, &a->relays[i].internal);

		if (grant->relayed[i])
			stun_put_xor_address(&w, STUN_ATTR_XOR_RELAYED_ADDRESS, &shown);
	}
	stun_put_u32(&w, STUN_ATTR_LIFETIME, grant->lifetime_s);
	if (grant->has_token)
		stun_put(&w, STUN_ATTR_RESERVATION_TOKEN,
			 span_make(grant->token, sizeof(grant->token)));
	stun_put_xor_address(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &a->client.tuple.client);
	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (grant->failure[i])
			stun_put_address_error(&w, families[i], grant->failure[i]);
	turn->counters.success_responses++;
	answer_send(envelope, &w, out);
}
