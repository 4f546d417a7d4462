/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The long-term credential mechanism on the server's side, RFC 8489 9.2.4, in the order of its
 * checks. Nothing is remembered of a request that fails one.
 */
#include "turn/state.h"
#include "wire/integrity.h"

/*
 * A user who does not exist costs the same HMAC as a wrong password, so that the time of the 401
 * does not tell which names there are.
 */
static bool integrity_is_right(const struct stun_message *message,
			       const struct credentials_user *user)
{
	static const uint8_t nobody[CREDENTIALS_KEY_LEN] = {1};
	bool right = stun_integrity_matches(
		message, span_make(user ? user->key : nobody, CREDENTIALS_KEY_LEN));

	return user && right;
}

/*
 * A retransmission whose nonce has run out since the first copy was answered is answered as the
 * first one was. A nonce that was never ours for this client is refused in any case.
 */
static bool nonce_is_good(const struct request *r, struct span nonce)
{
	const struct turn_config *config = &r->turn->config;
	uint32_t lifetime_s;

	switch (nonce_check(config->nonce_key, &r->envelope.client.tuple.client, r->now->wall_s,
			    config->nonce_lifetime_s, nonce)) {
	case NONCE_VALID:
		return true;
	case NONCE_STALE:
		return repeat_is_allocate(r) || repeat_find(r, &lifetime_s);
	case NONCE_FOREIGN:
		break;
	}
	return false;
}

unsigned int authenticate_request(struct request *r)
{
	const struct stun_message *message = &r->message;
	const struct credentials *credentials = r->turn->config.credentials;
	const struct credentials_user *user;
	struct span name, realm, nonce;

	/* We offer no algorithms, so a MESSAGE-INTEGRITY-SHA256 alone is as good as none. */
	if (!message->integrity_at)
		return 401;
	if (!stun_find(message, STUN_ATTR_USERNAME, &name) ||
	    !stun_find(message, STUN_ATTR_REALM, &realm) ||
	    !stun_find(message, STUN_ATTR_NONCE, &nonce))
		return 400;
	user = credentials_find(credentials, name);
	/* Integrity before the nonce: with both wrong, the answer is 401. */
	if (!integrity_is_right(message, user) ||
	    !span_equal(realm, span_of(credentials_realm(credentials))))
		return 401;
	r->envelope.user = user;
	if (!nonce_is_good(r, nonce)) {
		r->envelope.user = NULL;
		return 438;
	}
	return 0;
}
