/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relay ports and reservations, shared by the workers. See ports.h. Knows nothing of sockets: a
 * port is taken here first, and whoever binds it says so if another process was faster.
 */
#include "turn/ports.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "auth/secret.h"
#include "base/cleanup.h"
#include "base/macros.h"

#define WORD_BITS 64
#define WORDS	  (65536 / WORD_BITS)

/* 8 KiB of bits for each relay address. */
struct relay_address {
	struct addr internal, external;
	_Atomic uint64_t taken[WORDS];
};

struct ports {
	uint16_t first, last;
	size_t count;
	struct relay_address *addresses;

	pthread_mutex_t lock; /* of what follows */
	struct ports_reservation *reservations;
	uint32_t reservation_count, reservations_max;
	/* Written under the lock, read without it. */
	_Atomic uint64_t next_expiry_ns;
};

static bool config_is_sound(const struct ports_config *config)
{
	if (config->count == 0 || config->count > PORTS_ADDRESS_MAX || config->first == 0 ||
	    config->first > config->last)
		return false;
	for (size_t i = 0; i < config->count; i++)
		if (!addr_ip_len(&config->addresses[i].internal) ||
		    config->addresses[i].internal.family != config->addresses[i].external.family)
			return false;
	return true;
}

int ports_new(const struct ports_config *config, struct ports **ret)
{
	_cleanup_free_ struct ports *ports = NULL;
	_cleanup_free_ struct relay_address *addresses = NULL;
	_cleanup_free_ struct ports_reservation *reservations = NULL;

	if (!config_is_sound(config))
		return -EINVAL;
	ports = calloc(1, sizeof(*ports));
	addresses = calloc(config->count, sizeof(*addresses));
	reservations = calloc(config->reservations_max + 1ULL, sizeof(*reservations));
	if (!ports || !addresses || !reservations)
		return -ENOMEM;
	for (size_t i = 0; i < config->count; i++) {
		addresses[i].internal = config->addresses[i].internal;
		addresses[i].external = config->addresses[i].external;
		addresses[i].internal.port = addresses[i].external.port = 0;
	}
	if (pthread_mutex_init(&ports->lock, NULL) != 0)
		return -ENOMEM;
	ports->first = config->first;
	ports->last = config->last;
	ports->count = config->count;
	ports->reservations_max = config->reservations_max;
	atomic_init(&ports->next_expiry_ns, UINT64_MAX);
	ports->addresses = TAKE_PTR(addresses);
	ports->reservations = TAKE_PTR(reservations);
	*ret = TAKE_PTR(ports);
	return 0;
}

void ports_free(struct ports **ports)
{
	if (!*ports)
		return;
	pthread_mutex_destroy(&(*ports)->lock);
	free((*ports)->addresses);
	free((*ports)->reservations);
	free(*ports);
	*ports = NULL;
}

static uint64_t port_mask(uint16_t port, bool pair)
{
	return (pair ? 3ULL : 1ULL) << (port % WORD_BITS);
}

/* Both ports of a pair are in the same word, since the first is even: one exchange takes both. */
static bool address_take(struct relay_address *address, uint16_t port, bool pair)
{
	_Atomic uint64_t *word = &address->taken[port / WORD_BITS];
	uint64_t mask = port_mask(port, pair);
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

	do {
		if (old & mask)
			return false;
	} while (!atomic_compare_exchange_weak(word, &old, old | mask));
	return true;
}

/* RFC 6056 3.3.1: from a random port onwards, so that an outsider cannot foretell it. */
static bool address_take_any(const struct ports *ports, struct relay_address *address, bool even,
			     bool pair, struct entropy *entropy, uint16_t *ret_port)
{
	uint32_t step = even || pair ? 2 : 1;
	uint32_t low = step == 2 ? (ports->first + 1U) & ~1U : ports->first;
	uint32_t high = pair ? ports->last - 1U : ports->last;

	if (low > high)
		return false;

	uint32_t count = (high - low) / step + 1;
	uint32_t start = entropy_u32(entropy) % count;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(low + (start + i) % count * step);

		if (address_take(address, port, pair)) {
			*ret_port = port;
			return true;
		}
	}
	return false;
}

int ports_take(struct ports *ports, enum addr_family family, bool even, bool pair,
	       struct entropy *entropy, struct addr *ret_internal)
{
	size_t start = entropy_u32(entropy) % ports->count;
	int r = -EAFNOSUPPORT;

	for (size_t i = 0; i < ports->count; i++) {
		struct relay_address *address = &ports->addresses[(start + i) % ports->count];
		uint16_t port;

		if (address->internal.family != family)
			continue;
		if (address_take_any(ports, address, even, pair, entropy, &port)) {
			*ret_internal = address->internal;
			ret_internal->port = port;
			return 0;
		}
		r = -ENOSPC;
	}
	return r;
}

bool ports_has_family(const struct ports *ports, enum addr_family family)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->addresses[i].internal.family == family)
			return true;
	return false;
}

static struct relay_address *find_address(const struct ports *ports, const struct addr *a)
{
	for (size_t i = 0; i < ports->count; i++)
		if (addr_same_ip(&ports->addresses[i].internal, a) ||
		    addr_same_ip(&ports->addresses[i].external, a))
			return &ports->addresses[i];
	return NULL;
}

void ports_release(struct ports *ports, const struct addr *internal)
{
	struct relay_address *address = find_address(ports, internal);
	uint64_t mask = port_mask(internal->port, false);

	ASSERT(address);
	ASSERT(atomic_fetch_and(&address->taken[internal->port / WORD_BITS], ~mask) & mask);
}

bool ports_is_allocation(const struct ports *ports, const struct addr *a)
{
	const struct relay_address *address = find_address(ports, a);

	return address &&
	       (atomic_load(&address->taken[a->port / WORD_BITS]) & port_mask(a->port, false));
}

bool ports_is_relay_ip(const struct ports *ports, const struct addr *a)
{
	return find_address(ports, a) != NULL;
}

static struct addr with_port(struct addr a, uint16_t port)
{
	a.port = port;
	return a;
}

struct addr ports_to_external(const struct ports *ports, const struct addr *internal)
{
	const struct relay_address *address = find_address(ports, internal);

	return address ? with_port(address->external, internal->port) : *internal;
}

struct addr ports_to_internal(const struct ports *ports, const struct addr *external)
{
	const struct relay_address *address = find_address(ports, external);

	return address ? with_port(address->internal, external->port) : *external;
}

static void update_next_expiry(struct ports *ports)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < ports->reservation_count; i++)
		next = MIN(next, ports->reservations[i].expires_ns);
	atomic_store(&ports->next_expiry_ns, next);
}

static void take_out(struct ports *ports, uint32_t at, struct ports_reservation *ret)
{
	*ret = ports->reservations[at];
	ports->reservations[at] = ports->reservations[--ports->reservation_count];
	explicit_bzero(&ports->reservations[ports->reservation_count], sizeof(*ret));
	update_next_expiry(ports);
}

int ports_reserve(struct ports *ports, const struct ports_reservation *reservation)
{
	int r = -ENOSPC;

	pthread_mutex_lock(&ports->lock);
	if (ports->reservation_count < ports->reservations_max) {
		ports->reservations[ports->reservation_count++] = *reservation;
		update_next_expiry(ports);
		r = 0;
	}
	pthread_mutex_unlock(&ports->lock);
	return r;
}

/* Whoever calls holds the lock. reservation_count if there is none. */
static uint32_t find_reservation(const struct ports *ports,
				 const uint8_t token[static PORTS_TOKEN_LEN], uint32_t user,
				 uint64_t now_ns)
{
	uint32_t found = ports->reservation_count;

	for (uint32_t i = 0; i < ports->reservation_count; i++) {
		const struct ports_reservation *held = &ports->reservations[i];

		/* A token is a secret: how many bytes were right must not show in the time. */
		if (secret_equal(span_make(held->token, PORTS_TOKEN_LEN),
				 span_make(token, PORTS_TOKEN_LEN)) &&
		    held->user == user && now_ns < held->expires_ns)
			found = i;
	}
	return found;
}

bool ports_holds(struct ports *ports, const uint8_t token[static PORTS_TOKEN_LEN], uint32_t user,
		 uint64_t now_ns)
{
	bool held;

	pthread_mutex_lock(&ports->lock);
	held = find_reservation(ports, token, user, now_ns) < ports->reservation_count;
	pthread_mutex_unlock(&ports->lock);
	return held;
}

int ports_redeem(struct ports *ports, const uint8_t token[static PORTS_TOKEN_LEN], uint32_t user,
		 uint64_t now_ns, struct ports_reservation *ret)
{
	int r = -ENOENT;
	uint32_t at;

	pthread_mutex_lock(&ports->lock);
	at = find_reservation(ports, token, user, now_ns);
	if (at < ports->reservation_count) {
		take_out(ports, at, ret);
		r = 0;
	}
	pthread_mutex_unlock(&ports->lock);
	return r;
}

bool ports_expire(struct ports *ports, uint64_t now_ns, struct ports_reservation *ret)
{
	bool found = false;

	pthread_mutex_lock(&ports->lock);
	for (uint32_t i = 0; i < ports->reservation_count && !found; i++) {
		if (ports->reservations[i].expires_ns <= now_ns) {
			take_out(ports, i, ret);
			found = true;
		}
	}
	pthread_mutex_unlock(&ports->lock);
	return found;
}

uint64_t ports_next_expiry(const struct ports *ports)
{
	return atomic_load(&ports->next_expiry_ns);
}
