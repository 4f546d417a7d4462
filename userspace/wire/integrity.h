/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MESSAGE-INTEGRITY over STUN messages, RFC 8489 14.5. HMAC comes from OpenSSL; comparison is in
 * constant time.
 */
#ifndef TURNPIKE_WIRE_INTEGRITY_H
#define TURNPIKE_WIRE_INTEGRITY_H

#include "wire/stun.h"

#define STUN_INTEGRITY_LEN 20

/*
 * True only if the message has a MESSAGE-INTEGRITY and it is right for the key. An empty key
 * matches nothing.
 */
bool stun_integrity_matches(const struct stun_message *message, struct span key);

/* Appends MESSAGE-INTEGRITY to a message that stun_begin started. An empty key fails the writer. */
void stun_put_integrity(struct writer *w, struct span key);

#endif
