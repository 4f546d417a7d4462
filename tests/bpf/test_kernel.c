/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening and closing the kernel path against the real kernel: pins, own addresses, hops, counters,
 * and what is said where it cannot work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/kernel.h"
#include "kernel_fixture.h"

/* A program frees its id a moment after its last user is gone, from a work queue. */
static bool program_vanishes(uint32_t id)
{
	for (int i = 0; i < 500; i++) {
		_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);

		if (fd == -ENOENT)
			return true;
		usleep(10000);
	}
	return false;
}

static void open_pins_what_the_abi_names_in_a_private_folder(void **state)
{
	static const char *const names[] = {"flows4",  "flows6", "slots", "traffic", "nexthops",
					    "devices", "owned",	 "stats", "about",   "buckets"};
	struct flow_about about;
	struct stat st;
	uint32_t zero = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(fixture_has_pin(names[i]));
	assert_int_equal(stat(fixture_pin_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fixture_read_pin("about", &zero, &about), 0);
	assert_int_equal(about.abi_version, FLOW_ABI_VERSION);
	assert_int_equal(about.slots, FIXTURE_SLOTS);
	assert_int_equal(about.nexthops, 16);
	assert_int_equal(about.workers, 2);
}

static void close_leaves_no_program_no_link_and_no_pin(void **state)
{
	struct kernel *kernel = fixture_open(KERNEL_MODE_AUTO);
	uint32_t id;

	(void)state;
	fixture_attach(kernel, "tp-here", KERNEL_MODE_NATIVE);
	id = fixture_program_on("tp-here");
	kernel_close(&kernel);
	assert_null(kernel);
	assert_int_equal(fixture_program_on("tp-here"), 0);
	assert_int_equal(access(fixture_pin_path, F_OK), -1);
	assert_true(program_vanishes(id));
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void what_is_said_of_an_own_address_adds_up(void **state)
{
	struct flow_own_key key = {.ip.v4 = inet_addr("192.0.2.1"), .family = FLOW_IPV4};
	struct addr ip = address("192.0.2.1:9"), v6 = address("[2001:db8::1]:9");
	const uint16_t expected[FLOW_LISTEN_PORTS] = {3478, 5349, 80, 443};
	struct flow_own own;

	assert_int_equal(kernel_own(*state, &ip, 0, 49152, 65535), 0);
	for (int i = 0; i < FLOW_LISTEN_PORTS; i++)
		assert_int_equal(kernel_own(*state, &ip, expected[i], 0, 0), 0);
	assert_int_equal(kernel_own(*state, &ip, 443, 49152, 65535), 0);
	assert_int_equal(kernel_own(*state, &ip, 444, 0, 0), -ENOSPC);
	assert_int_equal(kernel_own(*state, &ip, 0, 1024, 2048), -EEXIST);
	assert_int_equal(kernel_own(*state, &ip, 0, 2048, 1024), -EINVAL);
	assert_int_equal(fixture_read_pin("owned", &key, &own), 0);
	assert_memory_equal(own.listen_ports, expected, sizeof(expected));
	assert_int_equal(own.relay_first, 49152);
	assert_int_equal(own.relay_last, 65535);
	assert_int_equal(kernel_own(*state, &v6, 3478, 0, 0), 0);
	key = (struct flow_own_key){.family = FLOW_IPV6};
	memcpy(key.ip.v6, v6.ip, 16);
	assert_int_equal(fixture_read_pin("owned", &key, &own), 0);
	assert_int_equal(own.listen_ports[0], 3478);
	assert_int_equal(own.relay_first, 0);
}

static struct flow_next_hop_entry active_hop(uint32_t id)
{
	struct flow_next_hop hop;

	assert_int_equal(fixture_read_pin("nexthops", &id, &hop), 0);
	return hop.entry[hop.active];
}

static void a_hop_is_published_and_one_over_a_strange_interface_is_not_valid(void **state)
{
	struct net_hop hop = {.ifindex = if_nametoindex("tp-here"),
			      .mtu = 1400,
			      .valid = true,
			      .src_mac = {2, 1},
			      .dst_mac = {2, 2}};
	struct flow_next_hop_entry entry;

	kernel_set_next_hop(*state, 5, &hop);
	assert_int_equal(active_hop(5).valid, 0);
	/* It was remembered, and need not be told again. */
	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	entry = active_hop(5);
	assert_int_equal(entry.valid, 1);
	assert_int_equal(entry.ifindex, hop.ifindex);
	assert_int_equal(entry.mtu, 1400);
	assert_memory_equal(entry.src_mac, hop.src_mac, 6);
	assert_memory_equal(entry.dst_mac, hop.dst_mac, 6);
	hop.dst_mac[5] = 9;
	kernel_set_next_hop(*state, 5, &hop);
	kernel_settle(*state, UINT64_MAX);
	entry = active_hop(5);
	assert_int_equal(entry.valid, 1);
	assert_memory_equal(entry.dst_mac, hop.dst_mac, 6);
	hop.valid = false;
	kernel_set_next_hop(*state, 5, &hop);
	assert_int_equal(active_hop(5).valid, 0);
}

static void a_hops_tags_are_published_as_they_go_on_the_wire(void **state)
{
	const struct net_hop hop = {.ifindex = if_nametoindex("tp-here"),
				    .mtu = 1496,
				    .valid = true,
				    .tags = 2,
				    .tag = {{0x88a8, 0x2064}, {0x8100, 200}}};
	struct flow_next_hop_entry entry;

	fixture_attach(*state, "tp-here", KERNEL_MODE_NATIVE);
	kernel_set_next_hop(*state, 5, &hop);
	entry = active_hop(5);
	assert_int_equal(entry.valid, 1);
	assert_int_equal(entry.tags, 2);
	assert_memory_equal(entry.tag, "\x88\xa8\x20\x64\x81\x00\x00\xc8", sizeof(entry.tag));
}

static void a_bucket_has_its_rate_and_a_full_burst(void **state)
{
	static const struct {
		uint64_t bits_per_second;
		uint32_t ns_per_kib;
	} rows[] = {
		{0, 0},
		{20000000, 409600},
		{8192000000, 1000},
		{8191999999, 1001}, /* never more than was asked for */
		{UINT64_MAX, 1},
		{1, UINT32_MAX},
	};
	uint32_t id = FIXTURE_BUCKETS - 1, other = 1;
	const struct flow_bucket used = {5, 6, 7, 8};
	struct flow_bucket bucket;

	fixture_write_pin("buckets", &other, &used);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fixture_write_pin("buckets", &id, &used);
		kernel_set_bucket(*state, id, rows[i].bits_per_second, 250);
		assert_int_equal(fixture_read_pin("buckets", &id, &bucket), 0);
		assert_int_equal(bucket.ns_per_kib, rows[i].ns_per_kib);
		assert_int_equal(bucket.burst_ms, 250);
		assert_int_equal(bucket.to_peer_ns, 0);
		assert_int_equal(bucket.to_client_ns, 0);
	}
	assert_int_equal(fixture_read_pin("buckets", &other, &bucket), 0);
	assert_memory_equal(&bucket, &used, sizeof(used));
}

static void stats_are_summed_over_cpus(void **state)
{
	int cpus = libbpf_num_possible_cpus();
	struct flow_stats *values = calloc((size_t)cpus, sizeof(*values)), sum;
	uint32_t zero = 0;

	for (int i = 0; i < cpus; i++) {
		values[i].to_peer = (struct flow_counter){5, 500};
		values[i].headroom.packets = (uint64_t)i;
	}
	fixture_write_pin("stats", &zero, values);
	free(values);
	assert_int_equal(kernel_read_stats(*state, &sum), 0);
	assert_int_equal(sum.to_peer.packets, 5 * cpus);
	assert_int_equal(sum.to_peer.bytes, 500 * cpus);
	assert_int_equal(sum.headroom.packets, cpus * (cpus - 1) / 2);
	assert_int_equal(sum.to_client.packets, 0);
}

static void assert_open_fails(const struct kernel_options *options, int expected, const char *says)
{
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_open(options, &kernel, &problem), expected);
	assert_null(kernel);
	if (!strstr(problem.text, says))
		fail_msg("\"%s\" does not say \"%s\"", problem.text, says);
}

static void a_pin_path_that_is_on_no_bpffs_says_how_to_mount_one(void **state)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
	char folder[] = "/tmp/tp-test-XXXXXX", file[64], below[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/slots", folder);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(below, sizeof(below), "%s/a/b", folder);
	options.pin_path = below;
	assert_open_fails(&options, -EINVAL, "mount -t bpf bpf");
	options.pin_path = folder;
	assert_open_fails(&options, -EINVAL, "mount -t bpf bpf");
	/* Somebody's file of that name is still there, and no folder was made. */
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(folder), 0);
	options.pin_path = "not/absolute";
	assert_open_fails(&options, -EINVAL, "absolute");
	options.pin_path = "/sys/fs/bpf/tp.dot";
	assert_open_fails(&options, -EPERM, "no dots");
}

static void more_flows_than_memory_holds_name_the_key_to_lower(void **state)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);

	(void)state;
	options.slots = UINT32_MAX;
	assert_open_fails(&options, -E2BIG, "limits.allocations");
	assert_int_equal(access(fixture_pin_path, F_OK), -1);
}

/* Runs check in a child whose privileges and mounts are its own; the child's test is this one's. */
static void in_a_child(void (*check)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define child_assert(condition)                                                         \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

static void check_without_privileges(void)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	child_assert(setresuid(65534, 65534, 65534) == 0);
	child_assert(kernel_open(&options, &kernel, &problem) == -EPERM);
	child_assert(strstr(problem.text, "missing: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"));
	child_assert(!kernel);
}

static void missing_capabilities_are_named(void **state)
{
	(void)state;
	in_a_child(check_without_privileges);
}

static void check_mounting(void)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	child_assert(unshare(CLONE_NEWNS) == 0);
	while (umount2("/sys/fs/bpf", MNT_DETACH) == 0)
		continue;
	child_assert(kernel_open(&options, &kernel, &problem) == 0);
	child_assert(fixture_has_pin("slots"));
	kernel_close(&kernel);
	child_assert(access(fixture_pin_path, F_OK) == -1);
	child_assert(umount("/sys/fs/bpf") == 0);
}

static void a_bpffs_that_is_not_mounted_is_mounted(void **state)
{
	(void)state;
	in_a_child(check_mounting);
}

static void check_unmountable(void)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	child_assert(unshare(CLONE_NEWNS) == 0);
	/* As in a container that has no bpffs and no place for one. */
	child_assert(mount("none", "/sys/fs", "tmpfs", 0, NULL) == 0);
	child_assert(kernel_open(&options, &kernel, &problem) == -ENOENT);
	child_assert(strstr(problem.text, "mount -t bpf bpf /sys/fs/bpf"));
}

static void a_bpffs_that_cannot_be_mounted_says_how(void **state)
{
	(void)state;
	in_a_child(check_unmountable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(open_pins_what_the_abi_names_in_a_private_folder),
		fixture_test_opening(close_leaves_no_program_no_link_and_no_pin),
		fixture_test(what_is_said_of_an_own_address_adds_up),
		fixture_test(a_hop_is_published_and_one_over_a_strange_interface_is_not_valid),
		fixture_test(a_hops_tags_are_published_as_they_go_on_the_wire),
		fixture_test(a_bucket_has_its_rate_and_a_full_burst),
		fixture_test(stats_are_summed_over_cpus),
		fixture_test_opening(a_pin_path_that_is_on_no_bpffs_says_how_to_mount_one),
		fixture_test_opening(more_flows_than_memory_holds_name_the_key_to_lower),
		fixture_test_opening(missing_capabilities_are_named),
		fixture_test_opening(a_bpffs_that_is_not_mounted_is_mounted),
		fixture_test_opening(a_bpffs_that_cannot_be_mounted_says_how),
	};

	if (!fixture_may_run("test_kernel"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
