/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which relayed transport addresses of this process are taken: one bit per port and relay
 * address, and the reservations that RESERVATION-TOKEN redeems. The one thing workers share; it
 * is touched when relay ports come and go and when a peer is one of our own addresses, never for
 * a packet between strangers. Safe to call from any thread; bits are atomic, reservations have a
 * mutex.
 */
#ifndef TURNPIKE_TURN_PORTS_H
#define TURNPIKE_TURN_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/entropy.h"

#define PORTS_ADDRESS_MAX 16
/* RFC 8656 18.8: RESERVATION-TOKEN is 8 bytes. */
#define PORTS_TOKEN_LEN	  8

struct ports;

struct ports_config {
	/* Where relay sockets are bound, and what peers and clients see instead of it (the same
	 * unless there is a 1:1 NAT). Port 0. */
	struct {
		struct addr internal, external;
	} addresses[PORTS_ADDRESS_MAX];
	size_t count;
	uint16_t first, last;
	uint32_t reservations_max;
};

/* 0, -EINVAL for an empty range or no address, -ENOMEM. */
int ports_new(const struct ports_config *config, struct ports **ret);
/* Reservations still held are the caller's to close first: see ports_expire. */
void ports_free(struct ports **ports);

/*
 * Takes a free port at random on a relay address of that family (spread over the addresses). With
 * `pair` it is even and its successor is taken too; with `even` it is even.
 * Returns 0 with the internal address; -ENOSPC if there is none; -EAFNOSUPPORT if no relay
 * address has the family.
 */
int ports_take(struct ports *ports, enum addr_family family, bool even, bool pair,
	       struct entropy *entropy, struct addr *ret_internal);
void ports_release(struct ports *ports, const struct addr *internal);

/* True if a relay address has that family. */
bool ports_has_family(const struct ports *ports, enum addr_family family);
/* True for the internal or external form of a port that is taken: an allocation of this relay. */
bool ports_is_allocation(const struct ports *ports, const struct addr *a);
/* True if the IP is one of the relay's, in internal or external form, whatever the port. */
bool ports_is_relay_ip(const struct ports *ports, const struct addr *a);
/* Translate an own relay address; others come back as they are. */
struct addr ports_to_external(const struct ports *ports, const struct addr *internal);
struct addr ports_to_internal(const struct ports *ports, const struct addr *external);

/* A relay socket that waits for its second Allocate, RFC 8656 7.2 and 18.8. */
struct ports_reservation {
	uint8_t token[PORTS_TOKEN_LEN];
	struct addr internal;
	int relay; /* the driver's handle of the bound socket */
	uint32_t user;
	uint64_t expires_ns;
};

/* 0, or -ENOSPC if reservations_max are held. */
int ports_reserve(struct ports *ports, const struct ports_reservation *reservation);
/* True if ports_redeem would succeed now; another thread may be faster. */
bool ports_holds(struct ports *ports, const uint8_t token[static PORTS_TOKEN_LEN], uint32_t user,
		 uint64_t now_ns);
/* Takes it out of the table: 0, or -ENOENT if unknown, expired, or another user's. */
int ports_redeem(struct ports *ports, const uint8_t token[static PORTS_TOKEN_LEN], uint32_t user,
		 uint64_t now_ns, struct ports_reservation *ret);
/* Takes out one that has expired (UINT64_MAX takes any); false if there is none. The caller
 * closes its relay and then releases the port. */
bool ports_expire(struct ports *ports, uint64_t now_ns, struct ports_reservation *ret);
/* When ports_expire next has something to do; UINT64_MAX for never. Takes no lock. */
uint64_t ports_next_expiry(const struct ports *ports);

#endif
