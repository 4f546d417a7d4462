/* SPDX-License-Identifier: BSD-2-Clause */
/* What anybody may ask about this host. With a network of our own: tests/bpf/test_net.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "net/net.h"

static void a_link_that_does_not_exist_is_enodev(void **state)
{
	static const char *const names[] = {"", "tp-none", "a-name-that-no-link-can-have"};
	struct net_link link = {.ifindex = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(net_query_link(names[i], &link), -ENODEV);
	assert_int_equal(link.ifindex, 77);
}

static void loopback_is_found_by_name(void **state)
{
	struct net_link link;

	(void)state;
	assert_int_equal(net_query_link("lo", &link), 0);
	assert_string_equal(link.name, "lo");
	assert_int_equal(link.ifindex, if_nametoindex("lo"));
	assert_true(link.mtu >= 1280);
}

static void every_address_has_a_family_and_an_interface(void **state)
{
	struct net_address *list = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(net_list_addresses(&list, &count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_not_equal(addr_ip_len(&list[i].addr), 0);
		assert_int_equal(if_nametoindex(list[i].ifname), list[i].ifindex);
	}
	free(list);
}

static void families_do_not_mix_in_a_route_question(void **state)
{
	struct addr v4, v6, none = {0}, source = {.port = 9};
	unsigned int ifindex = 77;

	(void)state;
	assert_int_equal(addr_parse_ip("127.0.0.1", &v4), 0);
	assert_int_equal(addr_parse_ip("::1", &v6), 0);
	assert_int_equal(net_query_route(&v4, &v6, &ifindex, &source), -EAFNOSUPPORT);
	assert_int_equal(net_query_route(NULL, &none, &ifindex, &source), -EAFNOSUPPORT);
	assert_int_equal(ifindex, 77);
	assert_int_equal(source.port, 9);
}

static void ignore_hop(void *ctx, uint32_t id, const struct net_hop *hop)
{
	(void)ctx;
	(void)id;
	(void)hop;
}

static void ignore_routes(void *ctx)
{
	(void)ctx;
}

static void watching_needs_no_privilege_and_some_room(void **state)
{
	struct net_events events = {.hop_changed = ignore_hop, .routes_changed = ignore_routes};
	struct net *net = NULL;

	(void)state;
	assert_int_equal(net_open(&events, 0, 4, &net), -EINVAL);
	assert_int_equal(net_open(&events, 1, 0, &net), -EINVAL);
	assert_null(net);
	assert_int_equal(net_open(&events, 1, 4, &net), 0);
	assert_int_equal(net_process(net), 0);
	assert_true(net_fd(net) >= 0);
	net_close(&net);
	assert_null(net);
	net_close(&net);
}

static void a_watcher_of_addresses_is_silent_while_none_changes(void **state)
{
	_cleanup_close_ int fd = -1;

	(void)state;
	assert_int_equal(net_watch_addresses(&fd), 0);
	assert_true(fd >= 0);
	assert_false(net_addresses_changed(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_that_does_not_exist_is_enodev),
		cmocka_unit_test(loopback_is_found_by_name),
		cmocka_unit_test(every_address_has_a_family_and_an_interface),
		cmocka_unit_test(families_do_not_mix_in_a_route_question),
		cmocka_unit_test(watching_needs_no_privilege_and_some_room),
		cmocka_unit_test(a_watcher_of_addresses_is_silent_while_none_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
