/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test vectors of RFC 5769 and what they hold, for the tests of wire and auth. The passwords
 * of the first three are their keys (short-term); the last one's key is derived (long-term).
 */
#ifndef TURNPIKE_TESTS_WIRE_VECTORS_H
#define TURNPIKE_TESTS_WIRE_VECTORS_H

#include "base/macros.h"
#include "base/span.h"
#include "support/guard.h"

#define VECTOR_SIZE_MAX 128

struct vector {
	const char *section;
	uint16_t class;
	const char *key_hex;
	bool has_fingerprint;
	const char *hex;
};

/* "VOkJxbRl1RmTxUk/WvJxBt" */
#define SHORT_TERM_KEY "564f6b4a7862526c31526d5478556b2f57764a784274"

static const struct vector vectors[] = {
	{"2.1 request", 0x0000, SHORT_TERM_KEY, true,
	 "0001 0058 2112a442 b7e7a701bc34d686fa87dfae"
	 "8022 0010 5354554e207465737420636c69656e74"
	 "0024 0004 6e0001ff"
	 "8029 0008 932ff9b151263b36"
	 "0006 0009 6576746a3a68367659 202020"
	 "0008 0014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
	 "8028 0004 e57a3bcf"},
	{"2.2 IPv4 response", 0x0100, SHORT_TERM_KEY, true,
	 "0101 003c 2112a442 b7e7a701bc34d686fa87dfae"
	 "8022 000b 7465737420766563746f72 20"
	 "0020 0008 0001a147e112a643"
	 "0008 0014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
	 "8028 0004 c07d4c96"},
	{"2.3 IPv6 response", 0x0100, SHORT_TERM_KEY, true,
	 "0101 0048 2112a442 b7e7a701bc34d686fa87dfae"
	 "8022 000b 7465737420766563746f72 20"
	 "0020 0014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9"
	 "0008 0014 a382954e4be67bf11784c97c8292c275bfe3ed41"
	 "8028 0004 c8fb0b4c"},
	{"2.4 long-term request", 0x0000, "e8ca7ad59d5eb0518e312911d2dab2a9", false,
	 "0001 0060 2112a442 78ad3433c6ad72c029da412e"
	 "0006 0012 e3839ee38388e383aae38383e382afe382b9 0000"
	 "0015 001c 662f2f3439396b39353464364f4c33346f4c394653547679363473 41"
	 "0014 000b 6578616d706c652e6f7267 00"
	 "0008 0014 f67024656dd64a3e02b8e0712e85c9a28ca89666"},
};

enum {
	VECTOR_REQUEST,
	VECTOR_IPV4_RESPONSE,
	VECTOR_IPV6_RESPONSE,
	VECTOR_LONG_TERM
};

/* What 2.4's username is made of, and the password after its preparation. */
#define VECTOR_LONG_TERM_NAME	  "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"
#define VECTOR_LONG_TERM_REALM	  "example.org"
#define VECTOR_LONG_TERM_PASSWORD "TheMatrIX"
#define VECTOR_LONG_TERM_NONCE	  "f//499k954d6OL34oL9FSTvy64sA"

static inline struct span vector_bytes(const struct vector *v, uint8_t ret[static VECTOR_SIZE_MAX])
{
	return span_make(ret, hex_bytes(v->hex, ret, VECTOR_SIZE_MAX));
}

static inline struct span vector_key(const struct vector *v, uint8_t ret[static VECTOR_SIZE_MAX])
{
	return span_make(ret, hex_bytes(v->key_hex, ret, VECTOR_SIZE_MAX));
}

#endif
