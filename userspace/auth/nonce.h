/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nonces without state: a time and a keyed hash of it and of the client's transport address, in
 * printable characters (RFC 8489 9.2, 14.10). Only who received an answer of this server at this
 * very address has one that is valid.
 */
#ifndef TURNPIKE_AUTH_NONCE_H
#define TURNPIKE_AUTH_NONCE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

#define NONCE_KEY_LEN 32
/* Characters, no terminator. */
#define NONCE_LEN     40

enum nonce_state {
	NONCE_VALID,
	NONCE_STALE,   /* ours, for this client, but older than the lifetime */
	NONCE_FOREIGN, /* not made by this key for this client, or seconds ahead of the clock */
};

/* now_s is wall clock time in seconds, so that servers that share a key understand each other. */
void nonce_make(const uint8_t key[static NONCE_KEY_LEN], const struct addr *client, uint64_t now_s,
		char ret[static NONCE_LEN]);

enum nonce_state nonce_check(const uint8_t key[static NONCE_KEY_LEN], const struct addr *client,
			     uint64_t now_s, uint32_t lifetime_s, struct span nonce);

#endif
