/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who a pin folder belongs to, against the real kernel: two daemons that were given the same one,
 * one that is dead, one of another network namespace, and a folder that vanishes.
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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/kernel.h"
#include "kernel_fixture.h"
#include "netns.h"

/* Far from the indices that interfaces get by themselves. */
#define TWIN_INDEX 77

static uint32_t map_id(const char *pin)
{
	_cleanup_close_ int fd = fixture_open_pin(pin);
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

static int open_another(struct kernel_problem *ret_problem)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
	struct kernel *kernel = NULL;
	int err = kernel_open(&options, &kernel, ret_problem);

	kernel_close(&kernel);
	return err;
}

static void assert_says(const char *text, const char *says)
{
	if (!strstr(text, says))
		fail_msg("\"%s\" does not say \"%s\"", text, says);
}

static void a_second_daemon_takes_nothing_from_a_running_one(void **state)
{
	struct kernel_problem problem = {""};
	uint32_t program, slots;

	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	program = fixture_program_on("tp-here");
	slots = map_id("slots");
	assert_int_equal(open_another(&problem), -EBUSY);
	assert_says(problem.text, fixture_pin_path);
	assert_says(problem.text, "another turnpiked uses it: give this one its own "
				  "kernel.pin_path");
	assert_int_equal(fixture_program_on("tp-here"), program);
	assert_int_equal(map_id("slots"), slots);
	assert_true(fixture_has_pin("link-tp-here"));
}

/* As two containers that share /sys/fs/bpf. */
static void nor_does_one_of_other_namespaces(void **state)
{
	struct kernel_problem problem = {""};
	uint32_t program;
	int status;
	pid_t pid;

	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	program = fixture_program_on("tp-here");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) < 0)
			_exit(2);
		_exit(open_another(&problem) == -EBUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fixture_program_on("tp-here"), program);
	assert_true(fixture_has_pin("link-tp-here"));
}

/* A daemon in this network namespace that attached to one interface and was killed. */
static void leave_a_killed_daemons_pins(const char *ifname)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
		struct kernel_attachment got;
		struct kernel_problem problem;
		struct kernel *kernel;

		if (kernel_open(&options, &kernel, &problem) || kernel_attach(kernel, ifname, &got))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(fixture_has_pin("slots"));
}

static void a_killed_daemon_holds_its_folder_no_longer(void **state)
{
	leave_a_killed_daemons_pins("tp-here");
	*state = fixture_open(KERNEL_MODE_AUTO);
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
}

static void one_that_left_holds_its_folder_no_longer(void **state)
{
	struct kernel *kernel = fixture_open(KERNEL_MODE_AUTO);

	kernel_leave(&kernel);
	*state = fixture_open(KERNEL_MODE_AUTO);
}

/* Same name, same index, another network namespace: its link says nothing of ours. */
static void a_dead_daemons_link_of_another_namespace_is_not_taken_for_ours(void **state)
{
	static const char make[] = "ip link add name tp-twin index %d type veth peer name tp-end";
	_cleanup_close_ int other = fixture_load_other_program();
	struct kernel_attachment got;
	uint32_t program;

	netns_run(make, TWIN_INDEX);
	netns_run_there(make, TWIN_INDEX);
	netns_go_there();
	leave_a_killed_daemons_pins("tp-twin");
	program = fixture_program_on("tp-twin");
	netns_come_back();
	assert_int_not_equal(program, 0);

	assert_int_equal(bpf_xdp_attach(TWIN_INDEX, other, XDP_FLAGS_DRV_MODE, NULL), 0);
	*state = fixture_open(KERNEL_MODE_AUTO);
	assert_int_equal(kernel_attach(*state, "tp-twin", &got), -EBUSY);
	assert_says(got.reason, "tp_other");
	assert_int_equal(bpf_xdp_detach(TWIN_INDEX, XDP_FLAGS_DRV_MODE, NULL), 0);
	fixture_attach(*state, "tp-twin", KERNEL_MODE_NATIVE);
	assert_true(fixture_has_pin("link-tp-twin"));
	/* Its pins are replaced by ours and its daemon is dead: nobody else could let go of it. */
	kernel_attach_done(*state);
	netns_go_there();
	program = fixture_program_on("tp-twin");
	netns_come_back();
	assert_int_equal(program, 0);
	assert_int_not_equal(fixture_program_on("tp-twin"), 0);
}

static void a_folder_that_vanished_is_made_again_with_all_that_was_in_it(void **state)
{
	struct kernel_problem problem = {""};
	struct kernel_attachment got;

	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	netns_run("rm -r %s", fixture_pin_path);
	if (kernel_attach(*state, "lo", &got) != 0)
		fail_msg("lo: %s", got.reason);
	assert_true(fixture_has_pin("slots"));
	assert_true(fixture_has_pin("link-lo"));
	assert_true(fixture_has_pin("link-tp-here"));
	/* And is held as the first one was. */
	assert_int_equal(open_another(&problem), -EBUSY);
}

static void a_folder_that_vanished_may_be_anothers_by_then(void **state)
{
	struct kernel *first = fixture_open(KERNEL_MODE_AUTO);
	struct kernel_attachment got;

	fixture_attach(first, "tp-here", KERNEL_MODE_NATIVE);
	netns_run("rm -r %s", fixture_pin_path);
	*state = fixture_open(KERNEL_MODE_AUTO);
	fixture_attach(*state, "lo", KERNEL_MODE_GENERIC);
	netns_run("ip link add name tp-late type veth peer name tp-late-end");
	assert_int_equal(kernel_attach(first, "tp-late", &got), -EBUSY);
	assert_int_equal(got.mode, KERNEL_MODE_OFF);
	assert_says(got.reason, "another turnpiked uses it");
	kernel_close(&first);
	assert_int_equal(fixture_program_on("tp-here"), 0);
	assert_true(fixture_has_pin("slots"));
	assert_true(fixture_has_pin("link-lo"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_second_daemon_takes_nothing_from_a_running_one),
		fixture_test(nor_does_one_of_other_namespaces),
		fixture_test_opening(a_killed_daemon_holds_its_folder_no_longer),
		fixture_test_opening(one_that_left_holds_its_folder_no_longer),
		fixture_test_opening(
			a_dead_daemons_link_of_another_namespace_is_not_taken_for_ours),
		fixture_test(a_folder_that_vanished_is_made_again_with_all_that_was_in_it),
		fixture_test_opening(a_folder_that_vanished_may_be_anothers_by_then),
	};

	if (!fixture_may_run("test_pins"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
