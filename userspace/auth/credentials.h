/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may use the relay: static long-term credentials, RFC 8489 9.2. Immutable once filled, so
 * every worker may read it. Holds keys, never passwords.
 */
#ifndef TURNPIKE_AUTH_CREDENTIALS_H
#define TURNPIKE_AUTH_CREDENTIALS_H

#include <stdint.h>

#include "base/span.h"

#define CREDENTIALS_KEY_LEN   16
/* RFC 8489 14.3: USERNAME is less than 509 bytes. */
#define CREDENTIALS_NAME_MAX  508
/* RFC 8489 14.9: REALM is at most 763 bytes; ours is kept short, since strangers get it back. */
#define CREDENTIALS_REALM_MAX 127

struct credentials;

struct credentials_user {
	const char *name;		  /* owned by the table */
	uint32_t index;			  /* dense, from 0: for counting per user */
	uint8_t key[CREDENTIALS_KEY_LEN]; /* MD5(name ":" realm ":" password) */
};

/* Copies realm. Returns 0, -EINVAL for an empty or too long one, or -ENOMEM. */
int credentials_new(const char *realm, struct credentials **ret);
void credentials_free(struct credentials **c);

/*
 * Copies name; keeps no password. Returns 0, -EEXIST, -EINVAL for an empty or too long name or an
 * empty password, -ENOMEM, or -EIO if MD5 cannot be had.
 */
int credentials_add(struct credentials *c, const char *name, const char *password);

/* NULL if there is none. */
const struct credentials_user *credentials_find(const struct credentials *c, struct span name);
const char *credentials_realm(const struct credentials *c);
uint32_t credentials_count(const struct credentials *c);

/* The long-term key, RFC 8489 9.2.2: MD5(name ":" realm ":" password). 0 or -EIO. */
int credentials_derive_key(struct span name, struct span realm, struct span password,
			   uint8_t ret[static CREDENTIALS_KEY_LEN]);

#endif
