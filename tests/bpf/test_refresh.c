/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces that come and go under a kernel path that was asked for them, against the real kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_link.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/kernel.h"
#include "kernel_fixture.h"
#include "net/net.h"
#include "netns.h"

#define HOP 5

static const struct kernel_attachment *attachment(const struct kernel *kernel, const char *name)
{
	const struct kernel_attachment *all;
	size_t count = kernel_attachments(kernel, &all);

	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	fail_msg("%s was never asked for", name);
	return NULL;
}

static bool is_device(unsigned int ifindex)
{
	uint32_t value;

	return fixture_read_pin("devices", &ifindex, &value) == 0;
}

static void set_hop(struct kernel *kernel, const char *ifname)
{
	const struct net_hop hop = {.ifindex = if_nametoindex(ifname),
				    .mtu = 1500,
				    .src_mac = {2, 1},
				    .dst_mac = {2, 2},
				    .valid = true};

	kernel_set_next_hop(kernel, HOP, &hop);
}

static bool hop_is_valid(struct kernel *kernel)
{
	struct flow_next_hop hop;
	uint32_t id = HOP;

	kernel_settle(kernel, UINT64_MAX / 2);
	assert_int_equal(fixture_read_pin("nexthops", &id, &hop), 0);
	return hop.entry[hop.active].valid;
}

static void make_late(void)
{
	netns_run("ip link add name tp-late type veth peer name tp-late-end");
}

static void ask_for_one_that_is_not_there(struct kernel *kernel, const char *name)
{
	struct kernel_attachment got;

	assert_int_equal(kernel_attach(kernel, name, &got), -ENODEV);
}

static void an_interface_that_appears_is_attached(void **state)
{
	ask_for_one_that_is_not_there(*state, "tp-late");
	assert_false(kernel_refresh_attachments(*state));
	make_late();
	assert_true(kernel_refresh_attachments(*state));
	assert_int_equal(attachment(*state, "tp-late")->mode, KERNEL_MODE_NATIVE);
	assert_int_equal(attachment(*state, "tp-late")->ifindex, if_nametoindex("tp-late"));
	assert_string_equal(attachment(*state, "tp-late")->reason, "");
	assert_int_not_equal(fixture_program_on("tp-late"), 0);
	assert_true(fixture_has_pin("link-tp-late"));
	assert_true(is_device(if_nametoindex("tp-late")));
	assert_false(kernel_refresh_attachments(*state));
}

static void an_interface_that_vanishes_leaves_nothing_and_may_come_back(void **state)
{
	unsigned int before, after;

	make_late();
	before = if_nametoindex("tp-late");
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	fixture_attach(*state, "tp-late", KERNEL_MODE_NATIVE);
	set_hop(*state, "tp-late");
	assert_true(hop_is_valid(*state));
	netns_run("ip link del tp-late");
	assert_true(kernel_refresh_attachments(*state));
	assert_int_equal(attachment(*state, "tp-late")->mode, KERNEL_MODE_OFF);
	assert_non_null(strstr(attachment(*state, "tp-late")->reason, "no such interface"));
	assert_int_equal(attachment(*state, "tp-late")->ifindex, 0);
	assert_false(fixture_has_pin("link-tp-late"));
	assert_false(is_device(before));
	assert_false(hop_is_valid(*state));
	assert_false(kernel_refresh_attachments(*state));
	make_late();
	after = if_nametoindex("tp-late");
	assert_int_not_equal(before, after);
	/* The hop may be known before the interface is attached. */
	set_hop(*state, "tp-late");
	assert_false(hop_is_valid(*state));
	assert_true(kernel_refresh_attachments(*state));
	assert_int_equal(attachment(*state, "tp-late")->mode, KERNEL_MODE_NATIVE);
	assert_true(is_device(after));
	assert_true(hop_is_valid(*state));
	assert_true(is_device(if_nametoindex("tp-here")));
}

static void one_that_is_replaced_between_two_looks_is_attached_anew(void **state)
{
	make_late();
	fixture_attach(*state, "tp-late", KERNEL_MODE_NATIVE);
	netns_run("ip link del tp-late");
	make_late();
	assert_true(kernel_refresh_attachments(*state));
	assert_int_equal(attachment(*state, "tp-late")->mode, KERNEL_MODE_NATIVE);
	assert_int_not_equal(fixture_program_on("tp-late"), 0);
	assert_true(is_device(if_nametoindex("tp-late")));
}

static void a_name_that_moves_takes_the_program_along(void **state)
{
	make_late();
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	netns_run("ip link set tp-here down && ip link set tp-here name tp-old && "
		  "ip link set tp-late name tp-here");
	assert_true(kernel_refresh_attachments(*state));
	assert_int_equal(fixture_program_on("tp-old"), 0);
	assert_int_not_equal(fixture_program_on("tp-here"), 0);
	assert_int_equal(attachment(*state, "tp-here")->ifindex, if_nametoindex("tp-here"));
	assert_false(is_device(if_nametoindex("tp-old")));
}

static void an_interface_that_stayed_is_left_alone(void **state)
{
	uint32_t program;

	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	program = fixture_program_on("tp-here");
	netns_run("ip link set tp-here down && ip link set tp-here mtu 1400 up");
	assert_false(kernel_refresh_attachments(*state));
	assert_int_equal(fixture_program_on("tp-here"), program);
	assert_true(is_device(if_nametoindex("tp-here")));
}

static void an_interface_whose_other_program_goes_is_attached(void **state)
{
	_cleanup_close_ int fd = fixture_load_other_program();
	int ifindex = (int)if_nametoindex("tp-here");
	struct kernel_attachment got;
	char reason[sizeof(got.reason)];

	assert_int_equal(bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_int_equal(kernel_attach(*state, "tp-here", &got), -EBUSY);
	assert_false(kernel_refresh_attachments(*state));
	snprintf(reason, sizeof(reason), "%s", attachment(*state, "tp-here")->reason);
	if (!strstr(reason, "tp_other"))
		fail_msg("the reason is %s", reason);
	assert_int_equal(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_true(kernel_refresh_attachments(*state));
	assert_int_equal(attachment(*state, "tp-here")->mode, KERNEL_MODE_NATIVE);
}

static void a_driver_that_refused_is_not_asked_again(void **state)
{
	struct kernel *kernel = fixture_open(KERNEL_MODE_NATIVE);
	struct kernel_attachment got;

	*state = kernel;
	netns_run("ip link set tp-here mtu 9000");
	netns_run_there("ip link set tp-there mtu 9000");
	assert_int_not_equal(kernel_attach(kernel, "tp-here", &got), 0);
	netns_run("ip link set tp-here mtu 1500");
	netns_run_there("ip link set tp-there mtu 1500");
	assert_false(kernel_refresh_attachments(kernel));
	assert_int_equal(fixture_program_on("tp-here"), 0);
	/* Who asks by name has it tried. */
	fixture_attach(kernel, "tp-here", KERNEL_MODE_NATIVE);
}

static bool becomes_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 5000) == 1;
}

static void a_watcher_hears_of_links_that_come_change_and_go(void **state)
{
	static const char *const changes[] = {
		"ip link add name tp-late type veth peer name tp-late-end",
		"ip link set tp-late up",
		"ip link set tp-late down",
		"ip link set tp-late name tp-later",
		"ip link del tp-later",
	};
	_cleanup_close_ int fd = -1;
	struct pollfd silent;

	(void)state;
	assert_int_equal(net_watch_links(&fd), 0);
	assert_false(net_links_changed(fd));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		netns_run("%s", changes[i]);
		if (!becomes_readable(fd) || !net_links_changed(fd))
			fail_msg("not heard: %s", changes[i]);
	}
	netns_run("ip addr add 192.0.2.7/24 dev tp-here && ip neigh add 192.0.2.99 lladdr "
		  "02:00:00:00:00:02 dev tp-here");
	silent = (struct pollfd){.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&silent, 1, 0), 0);
}

/* Nobody reads while they come, so that some are lost: that is told, and only once. */
static void a_watcher_that_was_overrun_hears_of_it(void **state)
{
	_cleanup_close_ int fd = -1;

	(void)state;
	assert_int_equal(net_watch_links(&fd), 0);
	netns_run("i=0; while [ $i -lt 1000 ]; do echo link set tp-here mtu $((1400 + i %% 100)); "
		  "i=$((i + 1)); done | ip -batch -");
	assert_true(net_links_changed(fd));
	assert_false(net_links_changed(fd));
	netns_run("ip link set tp-here mtu 1500");
	assert_true(becomes_readable(fd));
	assert_true(net_links_changed(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(an_interface_that_appears_is_attached),
		fixture_test(an_interface_that_vanishes_leaves_nothing_and_may_come_back),
		fixture_test(one_that_is_replaced_between_two_looks_is_attached_anew),
		fixture_test(a_name_that_moves_takes_the_program_along),
		fixture_test(an_interface_that_stayed_is_left_alone),
		fixture_test(an_interface_whose_other_program_goes_is_attached),
		fixture_test_opening(a_driver_that_refused_is_not_asked_again),
		fixture_test_opening(a_watcher_hears_of_links_that_come_change_and_go),
		fixture_test_opening(a_watcher_that_was_overrun_hears_of_it),
	};

	if (!fixture_may_run("test_refresh"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
