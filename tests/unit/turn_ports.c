/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/macros.h"
#include "turn/ports.h"

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

static struct addr at(const char *text, uint16_t port)
{
	struct addr a = ip(text);

	a.port = port;
	return a;
}

static void fill(struct entropy *e, unsigned int seed)
{
	for (size_t i = 0; i < sizeof(e->bytes); i++)
		e->bytes[i] = (uint8_t)(rand_r(&seed) >> 3);
	e->left = sizeof(e->bytes);
}

static struct ports *make(uint16_t first, uint16_t last)
{
	struct ports_config config = {.first = first, .last = last, .count = 3};
	struct ports *ports;

	config.addresses[0].internal = ip("10.0.0.1");
	config.addresses[0].external = ip("203.0.113.1");
	config.addresses[1].internal = config.addresses[1].external = ip("10.0.0.2");
	config.addresses[2].internal = config.addresses[2].external = ip("2001:db8::1");
	config.reservations_max = 2;
	assert_int_equal(ports_new(&config, &ports), 0);
	return ports;
}

static int take(struct ports *ports, enum addr_family family, bool even, bool pair, struct addr *a)
{
	static unsigned int seed;
	struct entropy e;

	fill(&e, ++seed);
	return ports_take(ports, family, even, pair, &e, a);
}

static void configurations_that_make_no_sense_are_refused(void **state)
{
	struct ports_config config = {.first = 1000, .last = 2000, .count = 1};
	struct ports *ports = NULL;

	(void)state;
	assert_int_equal(ports_new(&config, &ports), -EINVAL);
	config.addresses[0].internal = config.addresses[0].external = ip("10.0.0.1");
	config.first = 2001;
	assert_int_equal(ports_new(&config, &ports), -EINVAL);
	config.first = 0;
	assert_int_equal(ports_new(&config, &ports), -EINVAL);
	config.first = 1000;
	config.count = 0;
	assert_int_equal(ports_new(&config, &ports), -EINVAL);
	config.count = PORTS_ADDRESS_MAX + 1;
	assert_int_equal(ports_new(&config, &ports), -EINVAL);
	config.count = 1;
	config.addresses[0].external = ip("2001:db8::1");
	assert_int_equal(ports_new(&config, &ports), -EINVAL);
	assert_null(ports);
	ports_free(&ports);
}

static void every_port_is_given_once_on_every_address(void **state)
{
	struct ports *ports = make(65530, 65535);
	bool seen[2][6] = {0};
	struct addr a;

	(void)state;
	for (int i = 0; i < 12; i++) {
		assert_int_equal(take(ports, ADDR_IPV4, false, false, &a), 0);
		assert_in_range(a.port, 65530, 65535);
		bool *slot = &seen[a.ip[3] - 1][a.port - 65530];

		assert_false(*slot);
		*slot = true;
	}
	assert_int_equal(take(ports, ADDR_IPV4, false, false, &a), -ENOSPC);
	assert_int_equal(take(ports, ADDR_IPV6, false, false, &a), 0);
	assert_int_equal(a.family, ADDR_IPV6);
	a = at("10.0.0.2", 65533);
	ports_release(ports, &a);
	assert_int_equal(take(ports, ADDR_IPV4, false, false, &a), 0);
	assert_int_equal(a.port, 65533);
	ports_free(&ports);
}

static void even_ports_and_pairs_respect_the_ends_of_the_range(void **state)
{
	struct ports *ports = make(50001, 50006);
	struct addr a;
	int even = 0, pairs = 0;

	(void)state;
	/* 50002, 50004 and 50006 on two addresses. */
	while (take(ports, ADDR_IPV4, true, false, &a) == 0) {
		assert_int_equal(a.port % 2, 0);
		even++;
	}
	assert_int_equal(even, 6);
	ports_free(&ports);
	ports = make(50001, 50006);
	/* 50006 has no successor in the range. */
	while (take(ports, ADDR_IPV4, true, true, &a) == 0) {
		struct addr next = a;

		next.port++;
		assert_true(a.port == 50002 || a.port == 50004);
		assert_true(ports_is_allocation(ports, &next));
		pairs++;
	}
	assert_int_equal(pairs, 4);
	ports_free(&ports);
	ports = make(50001, 50001);
	assert_int_equal(take(ports, ADDR_IPV4, true, false, &a), -ENOSPC);
	assert_int_equal(take(ports, ADDR_IPV4, true, true, &a), -ENOSPC);
	assert_int_equal(take(ports, ADDR_IPV4, false, false, &a), 0);
	ports_free(&ports);
}

static void a_pair_needs_both_its_ports(void **state)
{
	struct ports *ports = make(50000, 50001);
	struct addr a;

	(void)state;
	assert_int_equal(take(ports, ADDR_IPV6, false, true, &a), 0);
	assert_int_equal(a.port, 50000);
	ports_release(ports, &a);
	assert_int_equal(take(ports, ADDR_IPV6, false, true, &a), -ENOSPC);
	assert_int_equal(take(ports, ADDR_IPV6, false, false, &a), 0);
	assert_int_equal(a.port, 50000);
	ports_free(&ports);
}

static void a_family_without_an_address_is_not_supported(void **state)
{
	struct ports_config config = {.first = 1000, .last = 2000, .count = 1};
	struct ports *ports;
	struct addr a = {.port = 7};

	(void)state;
	config.addresses[0].internal = config.addresses[0].external = ip("10.0.0.1");
	assert_int_equal(ports_new(&config, &ports), 0);
	assert_int_equal(take(ports, ADDR_IPV6, false, false, &a), -EAFNOSUPPORT);
	assert_int_equal(a.port, 7);
	ports_free(&ports);
}

static void ports_are_spread_over_the_range_and_the_addresses(void **state)
{
	struct ports *ports = make(49152, 65535);
	int on_first = 0, low_half = 0;
	struct addr a;

	(void)state;
	for (int i = 0; i < 400; i++) {
		assert_int_equal(take(ports, ADDR_IPV4, false, false, &a), 0);
		on_first += a.ip[3] == 1;
		low_half += a.port < 57344;
	}
	assert_in_range(on_first, 120, 280);
	assert_in_range(low_half, 120, 280);
	ports_free(&ports);
}

static void both_forms_of_a_taken_port_are_an_allocation(void **state)
{
	struct ports *ports = make(50000, 50000);
	struct addr internal = at("10.0.0.1", 50000), external = at("203.0.113.1", 50000);
	struct addr other = at("203.0.113.2", 50000), none = at("10.0.0.1", 0);
	struct addr a, shown;

	(void)state;
	assert_true(ports_is_relay_ip(ports, &internal) && ports_is_relay_ip(ports, &external));
	assert_false(ports_is_relay_ip(ports, &other));
	assert_false(ports_is_allocation(ports, &internal));
	while (take(ports, ADDR_IPV4, false, false, &a) == 0)
		;
	assert_true(ports_is_allocation(ports, &internal));
	assert_true(ports_is_allocation(ports, &external));
	assert_false(ports_is_allocation(ports, &other) || ports_is_allocation(ports, &none));
	shown = ports_to_external(ports, &internal);
	assert_true(addr_equal(&shown, &external));
	shown = ports_to_internal(ports, &external);
	assert_true(addr_equal(&shown, &internal));
	shown = ports_to_internal(ports, &internal);
	assert_true(addr_equal(&shown, &internal));
	shown = ports_to_external(ports, &other);
	assert_true(addr_equal(&shown, &other));
	ports_free(&ports);
}

static struct ports_reservation reservation(uint8_t token, uint32_t user, uint64_t expires_ns)
{
	return (struct ports_reservation){.token = {token, 1, 2, 3, 4, 5, 6, 7},
					  .internal = at("10.0.0.1", 50001),
					  .relay = token,
					  .user = user,
					  .expires_ns = expires_ns};
}

static void a_reservation_is_redeemed_once_by_its_user_in_time(void **state)
{
	struct ports *ports = make(50000, 50001);
	struct ports_reservation mine = reservation(9, 5, 1000), found = {.relay = -7};
	uint8_t wrong[PORTS_TOKEN_LEN] = {9, 1, 2, 3, 4, 5, 6, 8};

	(void)state;
	assert_int_equal(ports_reserve(ports, &mine), 0);
	assert_int_equal(ports_redeem(ports, wrong, 5, 0, &found), -ENOENT);
	assert_int_equal(ports_redeem(ports, mine.token, 6, 0, &found), -ENOENT);
	assert_int_equal(ports_redeem(ports, mine.token, 5, 1000, &found), -ENOENT);
	assert_int_equal(found.relay, -7);
	assert_int_equal(ports_redeem(ports, mine.token, 5, 999, &found), 0);
	assert_int_equal(found.relay, 9);
	assert_true(addr_equal(&found.internal, &mine.internal));
	assert_int_equal(ports_redeem(ports, mine.token, 5, 0, &found), -ENOENT);
	ports_free(&ports);
}

static void reservations_are_bounded_and_run_out_in_any_order(void **state)
{
	struct ports *ports = make(50000, 50001);
	struct ports_reservation late = reservation(1, 0, 2000), soon = reservation(2, 0, 1000);
	struct ports_reservation more = reservation(3, 0, 1), found;

	(void)state;
	assert_int_equal(ports_next_expiry(ports), UINT64_MAX);
	assert_int_equal(ports_reserve(ports, &late), 0);
	assert_int_equal(ports_next_expiry(ports), 2000);
	assert_int_equal(ports_reserve(ports, &soon), 0);
	assert_int_equal(ports_next_expiry(ports), 1000);
	assert_int_equal(ports_reserve(ports, &more), -ENOSPC);
	assert_false(ports_expire(ports, 999, &found));
	assert_true(ports_expire(ports, 1000, &found));
	assert_int_equal(found.relay, 2);
	assert_false(ports_expire(ports, 1000, &found));
	assert_int_equal(ports_next_expiry(ports), 2000);
	assert_true(ports_expire(ports, UINT64_MAX, &found));
	assert_int_equal(found.relay, 1);
	assert_int_equal(ports_next_expiry(ports), UINT64_MAX);
	ports_free(&ports);
}

#define THREADS	   4
#define PER_THREAD 500

struct worker {
	struct ports *ports;
	unsigned int seed;
	struct addr taken[PER_THREAD];
};

static void *take_many(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < PER_THREAD; i++) {
		struct entropy e;

		fill(&e, w->seed * 100000 + (unsigned int)i);
		if (ports_take(w->ports, ADDR_IPV4, false, false, &e, &w->taken[i]) < 0)
			return NULL;
		/* Some come and go. */
		if (i % 3 == 0) {
			ports_release(w->ports, &w->taken[i]);
			if (ports_take(w->ports, ADDR_IPV4, false, false, &e, &w->taken[i]) < 0)
				return NULL;
		}
	}
	return w;
}

static void threads_never_get_the_same_port(void **state)
{
	/* 2,000 ports on two addresses: the threads meet at the last ones. */
	struct ports *ports = make(50000, 50999);
	static struct worker workers[THREADS];
	static bool seen[2][1000];
	pthread_t threads[THREADS];
	void *result;

	(void)state;
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.ports = ports, .seed = i + 1};
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_non_null(result);
		for (int j = 0; j < PER_THREAD; j++) {
			const struct addr *a = &workers[i].taken[j];
			bool *slot = &seen[a->ip[3] - 1][a->port - 50000];

			assert_false(*slot);
			*slot = true;
		}
	}
	ports_free(&ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations_that_make_no_sense_are_refused),
		cmocka_unit_test(every_port_is_given_once_on_every_address),
		cmocka_unit_test(even_ports_and_pairs_respect_the_ends_of_the_range),
		cmocka_unit_test(a_pair_needs_both_its_ports),
		cmocka_unit_test(a_family_without_an_address_is_not_supported),
		cmocka_unit_test(ports_are_spread_over_the_range_and_the_addresses),
		cmocka_unit_test(both_forms_of_a_taken_port_are_an_allocation),
		cmocka_unit_test(a_reservation_is_redeemed_once_by_its_user_in_time),
		cmocka_unit_test(reservations_are_bounded_and_run_out_in_any_order),
		cmocka_unit_test(threads_never_get_the_same_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
