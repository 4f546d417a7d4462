/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A struct net that watches. See net_watch.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "net_watch.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netns.h"

static const uint8_t mac_here[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_there[6] = {2, 0, 0, 0, 0, 2};

static void hop_changed(void *ctx, uint32_t id, const struct net_hop *hop)
{
	struct watch *w = ctx;

	assert_in_range(id, FIRST_ID, FIRST_ID + MAX_HOPS - 1);
	w->hop_events[id]++;
	w->told[id] = *hop;
}

static void routes_changed(void *ctx)
{
	struct watch *w = ctx;

	w->route_events++;
}

int watch_set_up(void **state)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct net_events events = {hop_changed, routes_changed, w};

	netns_make_pair();
	assert_int_equal(net_open(&events, FIRST_ID, MAX_HOPS, &w->net), 0);
	*state = w;
	return 0;
}

int watch_tear_down(void **state)
{
	struct watch *w = *state;

	net_close(&w->net);
	free(w);
	return 0;
}

uint64_t watch_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void watch_settle(struct watch *w)
{
	struct pollfd fd = {.fd = net_fd(w->net), .events = POLLIN};

	while (poll(&fd, 1, 50) > 0)
		assert_int_equal(net_process(w->net), 0);
}

struct addr watch_ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

uint32_t watch_route(struct watch *w, const char *dst)
{
	struct addr a = watch_ip(dst);
	uint32_t id = 0;

	assert_int_equal(net_route(w->net, NULL, &a, &id), 0);
	return id;
}

int watch_route_error(struct watch *w, const char *dst)
{
	struct addr a = watch_ip(dst);
	uint32_t id = 0;
	int err = net_route(w->net, NULL, &a, &id);

	assert_int_equal(id, 0);
	return err;
}

void watch_assert_leads_there(const struct net_hop *hop, uint32_t mtu)
{
	assert_true(hop->valid);
	assert_int_equal(hop->ifindex, if_nametoindex("tp-here"));
	assert_int_equal(hop->mtu, mtu);
	assert_memory_equal(hop->src_mac, mac_here, 6);
	assert_memory_equal(hop->dst_mac, mac_there, 6);
}
