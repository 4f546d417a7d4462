/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces against the real kernel: modes and why not a better one, other programs in the way,
 * links that a dead daemon left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/kernel.h"
#include "kernel_fixture.h"
#include "netns.h"
#include "turnpike/flow.h"

static uint32_t link_id(const char *pin)
{
	_cleanup_close_ int fd = fixture_open_pin(pin);
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

static void a_veth_gets_native_mode_a_pinned_link_and_a_device_entry(void **state)
{
	uint32_t ifindex = if_nametoindex("tp-here"), value = 0;

	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	assert_true(fixture_has_pin("link-tp-here"));
	assert_int_equal(fixture_read_pin("devices", &ifindex, &value), 0);
	assert_int_equal(value, ifindex);
	/* Asked again, it is the same attachment. */
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
}

static void an_interface_whose_name_has_a_dot_is_pinned_without(void **state)
{
	netns_run("ip link add name tp-v.7 type veth peer name tp-w.7");
	fixture_attach(*state, "tp-v.7", KERNEL_MODE_NATIVE);
	assert_true(fixture_has_pin("link-tp-v:7"));
}

static void mode_generic_is_generic_where_native_would_do(void **state)
{
	struct kernel *kernel = fixture_open(KERNEL_MODE_GENERIC);
	const struct kernel_attachment *all;
	uint32_t ifindex = if_nametoindex("tp-here"), value = 0;

	fixture_attach(kernel, "tp-here", KERNEL_MODE_GENERIC);
	assert_int_equal(kernel_attachments(kernel, &all), 1);
	assert_string_equal(all[0].reason, "");
	assert_int_equal(fixture_read_pin("devices", &ifindex, &value), 0);
	*state = kernel;
}

static void auto_falls_back_to_generic_and_says_why(void **state)
{
	struct kernel_attachment got;

	assert_int_equal(kernel_attach(*state, "lo", &got), 0);
	assert_int_equal(got.mode, KERNEL_MODE_GENERIC);
	assert_non_null(strstr(got.reason, "refused native XDP: Operation not supported"));
}

static void mode_native_stays_without_where_the_driver_refuses(void **state)
{
	struct kernel *kernel = fixture_open(KERNEL_MODE_NATIVE);
	struct kernel_attachment got;

	assert_int_equal(kernel_attach(kernel, "lo", &got), -EOPNOTSUPP);
	assert_int_equal(got.mode, KERNEL_MODE_OFF);
	assert_non_null(strstr(got.reason, "refused native XDP"));
	assert_int_equal(fixture_program_on("lo"), 0);
	assert_false(fixture_has_pin("link-lo"));
	*state = kernel;
}

static void an_mtu_that_is_too_large_is_named_as_a_likely_cause(void **state)
{
	struct kernel_attachment got;

	netns_run("ip link set tp-here mtu 9000");
	netns_run_there("ip link set tp-there mtu 9000");
	assert_int_equal(kernel_attach(*state, "tp-here", &got), 0);
	assert_int_equal(got.mode, KERNEL_MODE_GENERIC);
	assert_non_null(strstr(got.reason, "driver veth"));
	assert_non_null(strstr(got.reason, "MTU"));
}

static void generic_interfaces_are_no_redirect_targets_beside_native_ones(void **state)
{
	uint32_t lo = if_nametoindex("lo"), here = if_nametoindex("tp-here"), value;

	fixture_attach(*state, "lo", KERNEL_MODE_GENERIC);
	assert_int_equal(fixture_read_pin("devices", &lo, &value), 0);
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	assert_int_equal(fixture_read_pin("devices", &lo, &value), -ENOENT);
	assert_int_equal(fixture_read_pin("devices", &here, &value), 0);
}

static void an_interface_that_does_not_exist_says_what_to_do(void **state)
{
	static const struct {
		const char *name, *reason;
	} rows[] = {
		{"tp-none", "no such interface: create it, or correct kernel.interfaces; it is "
			    "attached when it appears"},
		{"a-name-that-is-too-long", "no such interface: a name has at most 15 characters; "
					    "correct kernel.interfaces"},
	};
	struct kernel_attachment got;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(kernel_attach(*state, rows[i].name, &got), -ENODEV);
		assert_int_equal(got.mode, KERNEL_MODE_OFF);
		assert_string_equal(got.reason, rows[i].reason);
	}
}

static void another_program_is_named_and_left_alone(void **state)
{
	static const uint32_t modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	_cleanup_close_ int fd = fixture_load_other_program();
	int ifindex = (int)if_nametoindex("tp-here");
	struct kernel_attachment got;
	char expected[64];

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		uint32_t id;

		assert_int_equal(bpf_xdp_attach(ifindex, fd, modes[i], NULL), 0);
		id = fixture_program_on("tp-here");
		assert_int_equal(kernel_attach(*state, "tp-here", &got), -EBUSY);
		snprintf(expected, sizeof(expected), "id %u, name tp_other", id);
		assert_non_null(strstr(got.reason, expected));
		assert_int_equal(got.mode, KERNEL_MODE_OFF);
		assert_int_equal(fixture_program_on("tp-here"), id);
		assert_int_equal(bpf_xdp_detach(ifindex, modes[i], NULL), 0);
	}
	/* Once it is gone the interface may be asked for again. */
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
}

/* What configs/turnpike.service leaves a daemon: with it names of programs cannot be read. */
static int keep_the_units_capabilities(void)
{
	const uint64_t kept = 1ULL << CAP_BPF | 1ULL << CAP_PERFMON | 1ULL << CAP_NET_ADMIN;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{(uint32_t)kept, (uint32_t)kept, 0},
		{(uint32_t)(kept >> 32), (uint32_t)(kept >> 32), 0},
	};

	return (int)syscall(SYS_capset, &header, data);
}

static void a_program_whose_name_cannot_be_read_is_told_with_the_way_to_it(void **state)
{
	_cleanup_close_ int fd = fixture_load_other_program();
	int ifindex = (int)if_nametoindex("tp-here"), status;
	struct kernel_attachment got;
	char expected[128];
	pid_t pid;

	assert_int_equal(bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	snprintf(expected, sizeof(expected),
		 "its name cannot be read: Operation not permitted (bpftool prog show id %u)",
		 fixture_program_on("tp-here"));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (keep_the_units_capabilities() < 0)
			_exit(2);
		if (kernel_attach(*state, "tp-here", &got) == -EBUSY &&
		    strstr(got.reason, expected))
			_exit(0);
		fprintf(stderr, "\"%s\" does not say \"%s\"\n", got.reason, expected);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A daemon that attached to interfaces and died: its pins and links stay. */
static void leave_a_dead_daemons_pins(enum kernel_mode mode, const char *first, const char *second)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct kernel_options options = fixture_options(mode);
		struct kernel_attachment got;
		struct kernel_problem problem;
		struct kernel *kernel;
		int err = kernel_open(&options, &kernel, &problem);

		if (!err)
			err = kernel_attach(kernel, first, &got);
		if (!err && second)
			err = kernel_attach(kernel, second, &got);
		_exit(err ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(fixture_has_pin("slots"));
	assert_int_not_equal(fixture_program_on(first), 0);
}

static void a_dead_daemons_link_is_taken_over_without_a_gap(void **state)
{
	struct kernel *kernel;
	uint32_t program, link, ifindex = if_nametoindex("tp-here"), value;
	struct flow_slot slot = {.generation = 9};
	uint32_t zero = 0;

	leave_a_dead_daemons_pins(KERNEL_MODE_AUTO, "tp-here", NULL);
	fixture_write_pin("slots", &zero, &slot);
	program = fixture_program_on("tp-here");
	link = link_id("link-tp-here");
	kernel = fixture_open(KERNEL_MODE_AUTO);
	/* Until it is asked for the old program goes on. */
	assert_int_equal(fixture_program_on("tp-here"), program);
	fixture_attach(kernel, "tp-here", KERNEL_MODE_NATIVE);
	assert_int_equal(link_id("link-tp-here"), link);
	assert_int_not_equal(fixture_program_on("tp-here"), program);
	assert_int_equal(fixture_read_pin("devices", &ifindex, &value), 0);
	/* The maps are new ones. */
	assert_int_equal(fixture_read_pin("slots", &zero, &slot), 0);
	assert_int_equal(slot.generation, 0);
	*state = kernel;
}

static void a_dead_daemons_link_in_another_mode_is_replaced(void **state)
{
	struct kernel *kernel;

	leave_a_dead_daemons_pins(KERNEL_MODE_GENERIC, "tp-here", NULL);
	kernel = fixture_open(KERNEL_MODE_AUTO);
	fixture_attach(kernel, "tp-here", KERNEL_MODE_NATIVE);
	*state = kernel;
}

static void a_dead_daemons_link_that_nobody_asks_for_is_let_go(void **state)
{
	struct kernel *kernel;

	leave_a_dead_daemons_pins(KERNEL_MODE_AUTO, "tp-here", "lo");
	kernel = fixture_open(KERNEL_MODE_AUTO);
	fixture_attach(kernel, "tp-here", KERNEL_MODE_NATIVE);
	kernel_attach_done(kernel);
	assert_int_equal(fixture_program_on("lo"), 0);
	assert_false(fixture_has_pin("link-lo"));
	assert_int_not_equal(fixture_program_on("tp-here"), 0);
	*state = kernel;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_veth_gets_native_mode_a_pinned_link_and_a_device_entry),
		fixture_test(an_interface_whose_name_has_a_dot_is_pinned_without),
		fixture_test_opening(mode_generic_is_generic_where_native_would_do),
		fixture_test(auto_falls_back_to_generic_and_says_why),
		fixture_test_opening(mode_native_stays_without_where_the_driver_refuses),
		fixture_test(an_mtu_that_is_too_large_is_named_as_a_likely_cause),
		fixture_test(generic_interfaces_are_no_redirect_targets_beside_native_ones),
		fixture_test(an_interface_that_does_not_exist_says_what_to_do),
		fixture_test(another_program_is_named_and_left_alone),
		fixture_test(a_program_whose_name_cannot_be_read_is_told_with_the_way_to_it),
		fixture_test_opening(a_dead_daemons_link_is_taken_over_without_a_gap),
		fixture_test_opening(a_dead_daemons_link_in_another_mode_is_replaced),
		fixture_test_opening(a_dead_daemons_link_that_nobody_asks_for_is_let_go),
	};

	if (!fixture_may_run("test_attach"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
