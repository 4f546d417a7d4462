/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * STUN messages: bytes to a checked view and back, RFC 8489 5, 6 and 14. Parsing copies nothing
 * and allocates nothing; a view borrows the datagram. Byte by byte, never by casting a struct
 * onto the wire.
 */
#ifndef TURNPIKE_WIRE_STUN_H
#define TURNPIKE_WIRE_STUN_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/span.h"
#include "turnpike/wire.h"

/* A message whose header and attribute lengths were checked: walking its attributes cannot fail. */
struct stun_message {
	struct span raw; /* header and attributes, without anything that follows */
	/*
	 * The attributes that count: up to and including MESSAGE-INTEGRITY, and the SHA256 one if
	 * it stands right behind it or alone. FINGERPRINT is never in it.
	 */
	struct span body;
	uint16_t method;	       /* enum stun_method, or another number */
	uint16_t class;		       /* STUN_CLASS_… */
	const uint8_t *transaction_id; /* STUN_TRANSACTION_ID_LEN bytes in raw */
	/* Offsets in raw of the attribute headers, 0 where there is none. */
	size_t integrity_at;
	size_t integrity_sha256_at;
	size_t fingerprint_at;
};

struct stun_attr {
	uint16_t type;
	struct span value; /* without padding */
};

/*
 * Reads one message from the start of bytes. Returns the bytes it takes (a multiple of 4), 0 if
 * more are needed, or -EBADMSG if this is no STUN message: a wrong cookie, a length that is no
 * multiple of four, an attribute that runs past the end, something behind a FINGERPRINT.
 * Attributes behind MESSAGE-INTEGRITY other than MESSAGE-INTEGRITY-SHA256 and FINGERPRINT are
 * ignored, as RFC 8489 14.5 says; so is a MESSAGE-INTEGRITY behind the SHA256 one (14.6).
 */
int stun_parse(struct span bytes, struct stun_message *ret);

/* The next attribute of message->body behind *offset (start with 0); false at the end. */
bool stun_next(const struct stun_message *message, size_t *offset, struct stun_attr *ret);

#define stun_foreach(message, offset, attr) \
	for (size_t offset = 0; stun_next((message), &offset, (attr));)

/* The first attribute of that type (RFC 8489 14: the first one counts); false if there is none. */
bool stun_find(const struct stun_message *message, enum stun_attribute type, struct span *ret);

/* Typed reads of an attribute's value. 0 or -EBADMSG if its length or content is not right. */
int stun_read_u32(struct span value, uint32_t *ret);
int stun_read_address(struct span value, struct addr *ret);
int stun_read_xor_address(const struct stun_message *message, struct span value, struct addr *ret);
/* EVEN-PORT, REQUESTED-TRANSPORT and the address families: one byte, then three to ignore. */
int stun_read_u8(struct span value, size_t len, uint8_t *ret);

/*
 * Comprehension-required attributes (type below 0x8000) of the message that are not in known[].
 * Each type once, at most max of them. Returns how many.
 */
size_t stun_unknown_attributes(const struct stun_message *message, const uint16_t known[],
			       size_t known_count, uint16_t ret[], size_t max);

/* RFC 8489 14.7. True only if a FINGERPRINT is there and right. */
bool stun_fingerprint_matches(const struct stun_message *message);

/*
 * Building: stun_begin, then stun_put_… in order, then at most one of each: integrity,
 * fingerprint; then stun_end. The writer's sticky error covers a full buffer; stun_end returns
 * the length or -ENOBUFS. The worst case of each put is 4 bytes, its value, and up to 3 of zeroed
 * padding.
 */
void stun_begin(struct writer *w, uint16_t method, uint16_t class,
		const uint8_t transaction_id[static STUN_TRANSACTION_ID_LEN]);
void stun_put(struct writer *w, enum stun_attribute type, struct span value);
void stun_put_u32(struct writer *w, enum stun_attribute type, uint32_t value);
/* XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS; w starts with this message. */
void stun_put_xor_address(struct writer *w, enum stun_attribute type, const struct addr *a);
/* ERROR-CODE, 300 to 699. The reason may be empty: strangers get no longer answers than needed. */
void stun_put_error(struct writer *w, unsigned int code, const char *reason);
/* ADDRESS-ERROR-CODE, RFC 8656 18.12. family is ADDR_IPV4 or ADDR_IPV6. */
void stun_put_address_error(struct writer *w, enum addr_family family, unsigned int code);
void stun_put_unknown_attributes(struct writer *w, const uint16_t types[], size_t count);
/*
 * ICMP, RFC 8656 18.13: type (7 bits: error types are below 128 in both families) and code (9 bits)
 * in the widths that the figure there draws, then the error data.
 */
void stun_put_icmp(struct writer *w, uint8_t type, uint8_t code, uint32_t data);
/* The worst case of a Data indication with XOR-PEER-ADDRESS and ICMP. */
#define STUN_ICMP_INDICATION_MAX (STUN_HEADER_LEN + 24 + 12)
void stun_put_fingerprint(struct writer *w);
int stun_end(struct writer *w);

/*
 * The header of a Data indication up to and including the header of its DATA attribute, for len
 * bytes of data: XOR-PEER-ADDRESS, then DATA, nothing else (RFC 8656 11.3). The caller sends the
 * data and (4 - len % 4) % 4 zeros behind it; the message length counts both.
 * Returns the length of the header: 36 for an IPv4 peer, 48 for IPv6; 0 if the message's 16 bits of
 * length cannot hold so much data, which a UDP datagram over IPv6 can (more than 65504 bytes).
 */
#define STUN_DATA_INDICATION_HEADER_MAX 48
size_t stun_data_indication_header(const struct addr *peer, size_t len,
				   const uint8_t transaction_id[static STUN_TRANSACTION_ID_LEN],
				   uint8_t ret[static STUN_DATA_INDICATION_HEADER_MAX]);

#endif
