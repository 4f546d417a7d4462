/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A struct net that watches the namespaces of netns.h, and what it told.
 */
#ifndef TURNPIKE_TESTS_NET_WATCH_H
#define TURNPIKE_TESTS_NET_WATCH_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/net.h"

#define FIRST_ID 5
#define MAX_HOPS 8

struct watch {
	struct net *net;
	unsigned int hop_events[FIRST_ID + MAX_HOPS];
	struct net_hop told[FIRST_ID + MAX_HOPS];
	unsigned int route_events;
};

/* For cmocka: *state is a struct watch in a fresh pair of namespaces. */
int watch_set_up(void **state);
int watch_tear_down(void **state);
#define on_a_pair(test) cmocka_unit_test_setup_teardown(test, watch_set_up, watch_tear_down)

uint64_t watch_now_ms(void);

/* Processes events until the condition holds; false if it does not within ten seconds. */
#define wait_until(w, condition)                                                        \
	({                                                                              \
		uint64_t deadline_ = watch_now_ms() + 10000;                            \
		while (!(condition) && watch_now_ms() < deadline_) {                    \
			struct pollfd fd_ = {.fd = net_fd((w)->net), .events = POLLIN}; \
			poll(&fd_, 1, 100);                                             \
			assert_int_equal(net_process((w)->net), 0);                     \
		}                                                                       \
		(condition);                                                            \
	})

/* What has been told so far, until nothing more comes for a moment. */
void watch_settle(struct watch *w);

struct addr watch_ip(const char *text);
/* The hop to an address; fails the test if there is none. */
uint32_t watch_route(struct watch *w, const char *dst);
/* The error that asking for one gives. */
int watch_route_error(struct watch *w, const char *dst);
/* The hop is valid and leads to tp-there. */
void watch_assert_leads_there(const struct net_hop *hop, uint32_t mtu);

#endif
