/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MESSAGE-INTEGRITY, RFC 8489 14.5: HMAC-SHA1 over the message up to the attribute, with the
 * header's length as if the message ended with it. See integrity.h. Where a key comes from is
 * not known here. Whatever goes wrong inside the hash counts as "does not match".
 */
#include "wire/integrity.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/cleanup.h"
#include "base/macros.h"

#define INTEGRITY_ATTR_LEN (STUN_ATTR_HEADER_LEN + STUN_INTEGRITY_LEN)

static void mac_free(EVP_MAC **mac)
{
	EVP_MAC_free(*mac);
}

static void mac_ctx_free(EVP_MAC_CTX **ctx)
{
	EVP_MAC_CTX_free(*ctx);
}

/*
 * The hash of a message whose bytes before the attribute are these. False if there is none. A
 * message that grew too long for its length field is stun_end's to refuse.
 */
static bool sign(struct span before, struct span key, uint8_t ret[static STUN_INTEGRITY_LEN])
{
	CLEANUP(mac_free) EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	CLEANUP(mac_ctx_free) EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	char digest[] = "SHA1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t len = before.len - STUN_HEADER_LEN + INTEGRITY_ATTR_LEN;
	uint8_t head[] = {before.data[0], before.data[1], (uint8_t)(len >> 8), (uint8_t)len};
	size_t written = 0;

	/* An empty key is one that everybody knows. */
	if (!ctx || key.len == 0)
		return false;
	return EVP_MAC_init(ctx, key.data, key.len, params) &&
	       EVP_MAC_update(ctx, head, sizeof(head)) &&
	       EVP_MAC_update(ctx, before.data + sizeof(head), before.len - sizeof(head)) &&
	       EVP_MAC_final(ctx, ret, &written, STUN_INTEGRITY_LEN) &&
	       written == STUN_INTEGRITY_LEN;
}

bool stun_integrity_matches(const struct stun_message *message, struct span key)
{
	size_t at = message->integrity_at;
	uint8_t expected[STUN_INTEGRITY_LEN];

	if (!at)
		return false;
	struct reader r = reader_make(message->raw.data + at, message->raw.len - at);

	reader_u16(&r);
	uint16_t len = reader_u16(&r);
	struct span value = reader_take(&r, STUN_INTEGRITY_LEN);

	if (r.failed || len != STUN_INTEGRITY_LEN)
		return false;
	return sign(span_make(message->raw.data, at), key, expected) &&
	       CRYPTO_memcmp(value.data, expected, sizeof(expected)) == 0;
}

void stun_put_integrity(struct writer *w, struct span key)
{
	uint8_t hash[STUN_INTEGRITY_LEN];

	if (w->failed)
		return;
	ASSERT(w->len >= STUN_HEADER_LEN);
	if (sign(span_make(w->start, w->len), key, hash))
		stun_put(w, STUN_ATTR_MESSAGE_INTEGRITY, span_make(hash, sizeof(hash)));
	else
		w->failed = true;
}
