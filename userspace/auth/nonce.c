/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nonces that need no memory: eight hexadecimal digits of time, then 32 of an HMAC-SHA256 over
 * that time and the client's transport address, cut to 128 bits. See nonce.h. What a stale or a
 * foreign nonce is answered with is not known here.
 */
#include "auth/nonce.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/secret.h"
#include "base/cursor.h"
#include "base/macros.h"

#define TIME_DIGITS  8
#define HASH_LEN     ((NONCE_LEN - TIME_DIGITS) / 2)
/* Servers that share a key may disagree about the time by this much. */
#define SKEW_S	     5
#define SHA256_LEN   32
#define SIGNED_BYTES (4 + 1 + 16 + 2)

static void put_hex(const uint8_t *bytes, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 0xF];
	}
}

/* Only the digits that put_hex writes. */
static bool read_time(struct span digits, uint32_t *ret)
{
	uint32_t time = 0;

	for (size_t i = 0; i < digits.len; i++) {
		uint8_t c = digits.data[i];

		if (c >= '0' && c <= '9')
			time = time << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			time = time << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = time;
	return true;
}

/* False if the hash cannot be had; then ret holds zeros, which no check accepts. */
static bool make(const uint8_t key[static NONCE_KEY_LEN], const struct addr *client,
		 uint32_t time_s, char ret[static NONCE_LEN])
{
	uint8_t bytes[SIGNED_BYTES], hash[SHA256_LEN] = {0};
	struct writer w = writer_make(bytes, sizeof(bytes));
	unsigned int hash_len = 0;

	writer_u32(&w, time_s);
	writer_u8(&w, client->family);
	writer_bytes(&w, client->ip, sizeof(client->ip));
	writer_u16(&w, client->port);
	ASSERT(!w.failed && w.len == sizeof(bytes));
	bool made = HMAC(EVP_sha256(), key, NONCE_KEY_LEN, bytes, sizeof(bytes), hash, &hash_len) &&
		    hash_len == sizeof(hash);

	put_hex(bytes, 4, ret);
	put_hex(hash, HASH_LEN, ret + TIME_DIGITS);
	return made;
}

void nonce_make(const uint8_t key[static NONCE_KEY_LEN], const struct addr *client, uint64_t now_s,
		char ret[static NONCE_LEN])
{
	make(key, client, (uint32_t)now_s, ret);
}

enum nonce_state nonce_check(const uint8_t key[static NONCE_KEY_LEN], const struct addr *client,
			     uint64_t now_s, uint32_t lifetime_s, struct span nonce)
{
	char expected[NONCE_LEN];
	uint32_t time_s;

	if (nonce.len != NONCE_LEN || !read_time(span_make(nonce.data, TIME_DIGITS), &time_s))
		return NONCE_FOREIGN;
	if (!make(key, client, time_s, expected) ||
	    !secret_equal(nonce, span_make(expected, sizeof(expected))))
		return NONCE_FOREIGN;
	/* 32 bits of seconds wrap; the difference of two times does not. */
	int32_t age_s = (int32_t)((uint32_t)now_s - time_s);

	/* Our own key signed it, so a clock went back, here or at another server. */
	if (age_s < -SKEW_S)
		return NONCE_FOREIGN;
	return age_s > 0 && (uint32_t)age_s > lifetime_s ? NONCE_STALE : NONCE_VALID;
}
