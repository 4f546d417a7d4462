/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * STUN and ChannelData on the wire, for userspace and BPF alike: numbers only, no libc, no types
 * beyond the compiler's. RFC 8489 (STUN), RFC 8656 (TURN).
 */
#ifndef TURNPIKE_WIRE_H
#define TURNPIKE_WIRE_H

/* RFC 8489 5: the message header and its magic cookie. */
#define STUN_HEADER_LEN		20
#define STUN_MAGIC_COOKIE	0x2112A442U
#define STUN_TRANSACTION_ID_LEN 12
#define STUN_ATTR_HEADER_LEN	4
#define STUN_FINGERPRINT_XOR	0x5354554eU

/* RFC 8656 12.4: a channel number and a length, then that many bytes of application data. */
#define CHANNEL_DATA_HEADER_LEN 4
#define CHANNEL_NUMBER_MIN	0x4000
#define CHANNEL_NUMBER_MAX	0x4FFF
#define CHANNEL_DATA_ALIGN	4

/* RFC 8489 5: class bits of the message type. */
#define STUN_CLASS_MASK	      0x0110
#define STUN_CLASS_REQUEST    0x0000
#define STUN_CLASS_INDICATION 0x0010
#define STUN_CLASS_SUCCESS    0x0100
#define STUN_CLASS_ERROR      0x0110

/* RFC 8489 18.1, RFC 8656 17. X(constant, name, method) */
#define STUN_METHODS(X)                                 \
	X(BINDING, "Binding", 0x001)                    \
	X(ALLOCATE, "Allocate", 0x003)                  \
	X(REFRESH, "Refresh", 0x004)                    \
	X(SEND, "Send", 0x006)                          \
	X(DATA, "Data", 0x007)                          \
	X(CREATE_PERMISSION, "CreatePermission", 0x008) \
	X(CHANNEL_BIND, "ChannelBind", 0x009)

enum stun_method {
#define X(constant, name, method) STUN_METHOD_##constant = method,
	STUN_METHODS(X)
#undef X
};

/* RFC 8489 18.3, RFC 8656 18. X(constant, name, type) */
#define STUN_ATTRIBUTES(X)                                                \
	X(MAPPED_ADDRESS, "MAPPED-ADDRESS", 0x0001)                       \
	X(USERNAME, "USERNAME", 0x0006)                                   \
	X(MESSAGE_INTEGRITY, "MESSAGE-INTEGRITY", 0x0008)                 \
	X(ERROR_CODE, "ERROR-CODE", 0x0009)                               \
	X(UNKNOWN_ATTRIBUTES, "UNKNOWN-ATTRIBUTES", 0x000A)               \
	X(CHANNEL_NUMBER, "CHANNEL-NUMBER", 0x000C)                       \
	X(LIFETIME, "LIFETIME", 0x000D)                                   \
	X(XOR_PEER_ADDRESS, "XOR-PEER-ADDRESS", 0x0012)                   \
	X(DATA, "DATA", 0x0013)                                           \
	X(REALM, "REALM", 0x0014)                                         \
	X(NONCE, "NONCE", 0x0015)                                         \
	X(XOR_RELAYED_ADDRESS, "XOR-RELAYED-ADDRESS", 0x0016)             \
	X(REQUESTED_ADDRESS_FAMILY, "REQUESTED-ADDRESS-FAMILY", 0x0017)   \
	X(EVEN_PORT, "EVEN-PORT", 0x0018)                                 \
	X(REQUESTED_TRANSPORT, "REQUESTED-TRANSPORT", 0x0019)             \
	X(DONT_FRAGMENT, "DONT-FRAGMENT", 0x001A)                         \
	X(MESSAGE_INTEGRITY_SHA256, "MESSAGE-INTEGRITY-SHA256", 0x001C)   \
	X(PASSWORD_ALGORITHM, "PASSWORD-ALGORITHM", 0x001D)               \
	X(USERHASH, "USERHASH", 0x001E)                                   \
	X(XOR_MAPPED_ADDRESS, "XOR-MAPPED-ADDRESS", 0x0020)               \
	X(RESERVATION_TOKEN, "RESERVATION-TOKEN", 0x0022)                 \
	X(ADDITIONAL_ADDRESS_FAMILY, "ADDITIONAL-ADDRESS-FAMILY", 0x8000) \
	X(ADDRESS_ERROR_CODE, "ADDRESS-ERROR-CODE", 0x8001)               \
	X(PASSWORD_ALGORITHMS, "PASSWORD-ALGORITHMS", 0x8002)             \
	X(ICMP, "ICMP", 0x8004)                                           \
	X(SOFTWARE, "SOFTWARE", 0x8022)                                   \
	X(ALTERNATE_SERVER, "ALTERNATE-SERVER", 0x8023)                   \
	X(FINGERPRINT, "FINGERPRINT", 0x8028)

enum stun_attribute {
#define X(constant, name, type) STUN_ATTR_##constant = type,
	STUN_ATTRIBUTES(X)
#undef X
};

/* Types below this must be understood: RFC 8489 14. */
#define STUN_ATTR_OPTIONAL_MIN 0x8000

/* RFC 8489 14.1: address families on the wire. */
#define STUN_FAMILY_IPV4 0x01
#define STUN_FAMILY_IPV6 0x02

#endif
