/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loaded kernel path for tests. See kernel_fixture.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel_fixture.h"

#include <bpf/bpf.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "net/net.h"
#include "netns.h"

char fixture_pin_path[64];

bool fixture_may_run(const char *name)
{
	if (!netns_may_run(name))
		return false;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("SKIP %s: needs root to make a mount namespace: %s\n", name,
		       strerror(errno));
		return false;
	}
	snprintf(fixture_pin_path, sizeof(fixture_pin_path), "/sys/fs/bpf/tp-test-%d",
		 (int)getpid());
	return true;
}

struct kernel_options fixture_options(enum kernel_mode mode)
{
	return (struct kernel_options){.mode = mode,
				       .pin_path = fixture_pin_path,
				       .slots = FIXTURE_SLOTS,
				       .next_hops = 16,
				       .buckets = FIXTURE_BUCKETS,
				       .workers = 2};
}

struct kernel *fixture_open(enum kernel_mode mode)
{
	struct kernel_options options = fixture_options(mode);
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	if (kernel_open(&options, &kernel, &problem) != 0)
		fail_msg("kernel_open: %s", problem.text);
	return kernel;
}

int fixture_set_up(void **state)
{
	netns_make_pair();
	*state = fixture_open(KERNEL_MODE_AUTO);
	return 0;
}

int fixture_set_up_pair(void **state)
{
	(void)state;
	netns_make_pair();
	return 0;
}

bool fixture_has_pin(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", fixture_pin_path, name);
	return access(path, F_OK) == 0;
}

int fixture_tear_down(void **state)
{
	struct kernel *kernel = *state;

	kernel_close(&kernel);
	assert_int_equal(access(fixture_pin_path, F_OK), -1);
	return 0;
}

int fixture_open_pin(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fixture_pin_path, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

int fixture_read_pin(const char *name, const void *key, void *ret)
{
	_cleanup_close_ int fd = fixture_open_pin(name);

	return bpf_map_lookup_elem(fd, key, ret);
}

void fixture_write_pin(const char *name, const void *key, const void *value)
{
	_cleanup_close_ int fd = fixture_open_pin(name);

	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

int fixture_load_other_program(void)
{
	/* return XDP_PASS */
	const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "tp_other", "GPL", instructions,
			       ARRAY_SIZE(instructions), NULL);

	assert_true(fd >= 0);
	return fd;
}

uint32_t fixture_program_on(const char *ifname)
{
	struct net_link link;

	assert_int_equal(net_query_link(ifname, &link), 0);
	return link.xdp_program;
}

void fixture_attach(struct kernel *kernel, const char *ifname, enum kernel_mode mode)
{
	struct kernel_attachment got;

	if (kernel_attach(kernel, ifname, &got) != 0)
		fail_msg("%s: %s", ifname, got.reason);
	assert_int_equal(got.mode, mode);
	assert_string_equal(got.name, ifname);
	assert_int_equal(got.ifindex, if_nametoindex(ifname));
	assert_int_not_equal(fixture_program_on(ifname), 0);
}
