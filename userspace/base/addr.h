/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transport addresses and prefixes as plain data, host byte order for ports, network order for
 * the address bytes as they are on the wire. Knows nothing of who may be a peer: that is
 * turn/peer_policy.h.
 */
#ifndef TURNPIKE_BASE_ADDR_H
#define TURNPIKE_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum addr_family {
	ADDR_NONE = 0,
	ADDR_IPV4 = 4,
	ADDR_IPV6 = 6,
};

/* Bytes of ip[] beyond the family's length are zero, so that two equal addresses compare equal. */
struct addr {
	uint8_t ip[16];
	uint16_t port;
	uint8_t family; /* enum addr_family */
	uint8_t zero;	/* padding that hashes and compares: always 0 */
};

struct prefix {
	struct addr base; /* port 0, bits beyond len zero */
	uint8_t len;
};

/* "[0123:4567:89ab:cdef:0123:4567:255.255.255.255]:65535" and the terminator. */
#define ADDR_TEXT_MAX 64

struct addr addr_make_v4(const uint8_t ip[static 4], uint16_t port);
struct addr addr_make_v6(const uint8_t ip[static 16], uint16_t port);

/* Length of the family's address in bytes: 4, 16, or 0 for none. */
size_t addr_ip_len(const struct addr *a);

bool addr_equal(const struct addr *a, const struct addr *b);
/* Compares family and address, not the port. */
bool addr_same_ip(const struct addr *a, const struct addr *b);
/* True for 0.0.0.0 and ::. */
bool addr_is_any(const struct addr *a);

/* Returns 0 or -EINVAL: -EAFNOSUPPORT for families other than IPv4 and IPv6. */
int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *ret);
/* Returns the length of the address written. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret);

/* "192.0.2.1" or "2001:db8::1", no port, no brackets, no zone. 0 or -EINVAL. */
int addr_parse_ip(const char *text, struct addr *ret);
/* "192.0.2.1:3478" or "[2001:db8::1]:3478"; port 1 to 65535. 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *ret);
/* "10.0.0.0/8", "2001:db8::/32" or a single address. Host bits must be zero. 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *ret);

bool prefix_contains(const struct prefix *p, const struct addr *a);

/* All return ret, so that they can stand in a printf argument. */
const char *addr_format(const struct addr *a, char ret[static ADDR_TEXT_MAX]);
const char *addr_format_ip(const struct addr *a, char ret[static ADDR_TEXT_MAX]);
const char *prefix_format(const struct prefix *p, char ret[static ADDR_TEXT_MAX]);

/* A temporary for one log line: ADDR_TEXT(&a). Lives until the end of the enclosing block. */
#define ADDR_TEXT(a)	addr_format(a, (char[ADDR_TEXT_MAX]){0})
#define ADDR_IP_TEXT(a) addr_format_ip(a, (char[ADDR_TEXT_MAX]){0})

#endif
