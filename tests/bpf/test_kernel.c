/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow cache against the real kernel: loading, pins, interfaces, flows. Everything happens in
 * network and mount namespaces of this process. What the program does with packets is tested
 * elsewhere.
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
#include <linux/if_link.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/flow_table.h"
#include "kernel/kernel.h"
#include "net/net.h"
#include "netns.h"

#define SLOTS 8
#define NOW   NSEC_PER_SEC

static char pin_path[64];

static struct kernel_options options_for(enum kernel_mode mode)
{
	return (struct kernel_options){
		.mode = mode, .pin_path = pin_path, .slots = SLOTS, .next_hops = 16, .workers = 2};
}

static struct kernel *open_kernel(enum kernel_mode mode)
{
	struct kernel_options options = options_for(mode);
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	if (kernel_open(&options, &kernel, &problem) != 0)
		fail_msg("kernel_open: %s", problem.text);
	return kernel;
}

static int set_up(void **state)
{
	netns_make_pair();
	*state = open_kernel(KERNEL_MODE_AUTO);
	return 0;
}

static int set_up_pair(void **state)
{
	(void)state;
	netns_make_pair();
	return 0;
}

static bool pin_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", pin_path, name);
	return access(path, F_OK) == 0;
}

static int tear_down(void **state)
{
	struct kernel *kernel = *state;

	kernel_close(&kernel);
	assert_int_equal(access(pin_path, F_OK), -1);
	return 0;
}

static int open_pin(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pin_path, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

/* Reads one value of a pinned map. 0 or -errno. */
static int read_pin(const char *name, const void *key, void *ret)
{
	_cleanup_close_ int fd = open_pin(name);

	return bpf_map_lookup_elem(fd, key, ret);
}

static void write_pin(const char *name, const void *key, const void *value)
{
	_cleanup_close_ int fd = open_pin(name);

	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

static uint32_t program_on(const char *ifname)
{
	struct net_link link;

	assert_int_equal(net_query_link(ifname, &link), 0);
	return link.xdp_program;
}

static uint32_t link_id(const char *pin)
{
	_cleanup_close_ int fd = open_pin(pin);
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

static void assert_attached(struct kernel *kernel, const char *ifname, enum kernel_mode mode)
{
	struct kernel_attachment got;

	if (kernel_attach(kernel, ifname, &got) != 0)
		fail_msg("%s: %s", ifname, got.reason);
	assert_int_equal(got.mode, mode);
	assert_string_equal(got.name, ifname);
	assert_int_equal(got.ifindex, if_nametoindex(ifname));
	assert_int_not_equal(program_on(ifname), 0);
}

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
					    "devices", "owned",	 "stats", "about"};
	struct flow_about about;
	struct stat st;
	uint32_t zero = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(pin_exists(names[i]));
	assert_int_equal(stat(pin_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(read_pin("about", &zero, &about), 0);
	assert_int_equal(about.abi_version, FLOW_ABI_VERSION);
	assert_int_equal(about.slots, SLOTS);
	assert_int_equal(about.nexthops, 16);
	assert_int_equal(about.workers, 2);
}

static void close_leaves_no_program_no_link_and_no_pin(void **state)
{
	struct kernel *kernel = open_kernel(KERNEL_MODE_AUTO);
	uint32_t id;

	(void)state;
	assert_attached(kernel, "tp-here", KERNEL_MODE_NATIVE);
	id = program_on("tp-here");
	kernel_close(&kernel);
	assert_null(kernel);
	assert_int_equal(program_on("tp-here"), 0);
	assert_int_equal(access(pin_path, F_OK), -1);
	assert_true(program_vanishes(id));
}

static void a_veth_gets_native_mode_a_pinned_link_and_a_device_entry(void **state)
{
	uint32_t ifindex = if_nametoindex("tp-here"), value = 0;

	assert_attached(*state, "tp-here", KERNEL_MODE_NATIVE);
	assert_true(pin_exists("link-tp-here"));
	assert_int_equal(read_pin("devices", &ifindex, &value), 0);
	assert_int_equal(value, ifindex);
	/* Asked again, it is the same attachment. */
	assert_attached(*state, "tp-here", KERNEL_MODE_NATIVE);
}

static void an_interface_whose_name_has_a_dot_is_pinned_without(void **state)
{
	netns_run("ip link add name tp-v.7 type veth peer name tp-w.7");
	assert_attached(*state, "tp-v.7", KERNEL_MODE_NATIVE);
	assert_true(pin_exists("link-tp-v:7"));
}

static void mode_generic_is_generic_where_native_would_do(void **state)
{
	struct kernel *kernel = open_kernel(KERNEL_MODE_GENERIC);
	const struct kernel_attachment *all;
	uint32_t ifindex = if_nametoindex("tp-here"), value = 0;

	assert_attached(kernel, "tp-here", KERNEL_MODE_GENERIC);
	assert_int_equal(kernel_attachments(kernel, &all), 1);
	assert_string_equal(all[0].reason, "");
	assert_int_equal(read_pin("devices", &ifindex, &value), 0);
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
	struct kernel *kernel = open_kernel(KERNEL_MODE_NATIVE);
	struct kernel_attachment got;

	assert_int_equal(kernel_attach(kernel, "lo", &got), -EOPNOTSUPP);
	assert_int_equal(got.mode, KERNEL_MODE_OFF);
	assert_non_null(strstr(got.reason, "refused native XDP"));
	assert_int_equal(program_on("lo"), 0);
	assert_false(pin_exists("link-lo"));
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

	assert_attached(*state, "lo", KERNEL_MODE_GENERIC);
	assert_int_equal(read_pin("devices", &lo, &value), 0);
	assert_attached(*state, "tp-here", KERNEL_MODE_NATIVE);
	assert_int_equal(read_pin("devices", &lo, &value), -ENOENT);
	assert_int_equal(read_pin("devices", &here, &value), 0);
}

static void an_interface_that_does_not_exist_is_enodev(void **state)
{
	static const char *const names[] = {"tp-none", "a-name-that-is-too-long"};
	struct kernel_attachment got;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(kernel_attach(*state, names[i], &got), -ENODEV);
		assert_int_equal(got.mode, KERNEL_MODE_OFF);
		assert_string_equal(got.reason, "no such interface");
	}
}

static int load_other_program(void)
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

static void another_program_is_named_and_left_alone(void **state)
{
	static const uint32_t modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	_cleanup_close_ int fd = load_other_program();
	int ifindex = (int)if_nametoindex("tp-here");
	struct kernel_attachment got;
	char expected[64];

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		uint32_t id;

		assert_int_equal(bpf_xdp_attach(ifindex, fd, modes[i], NULL), 0);
		id = program_on("tp-here");
		assert_int_equal(kernel_attach(*state, "tp-here", &got), -EBUSY);
		snprintf(expected, sizeof(expected), "id %u, name tp_other", id);
		assert_non_null(strstr(got.reason, expected));
		assert_int_equal(got.mode, KERNEL_MODE_OFF);
		assert_int_equal(program_on("tp-here"), id);
		assert_int_equal(bpf_xdp_detach(ifindex, modes[i], NULL), 0);
	}
	/* Once it is gone the interface may be asked for again. */
	assert_attached(*state, "tp-here", KERNEL_MODE_NATIVE);
}

/* A daemon that attached to interfaces and died: its pins and links stay. */
static void leave_a_dead_daemons_pins(enum kernel_mode mode, const char *first, const char *second)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct kernel_options options = options_for(mode);
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
	assert_true(pin_exists("slots"));
	assert_int_not_equal(program_on(first), 0);
}

static void a_dead_daemons_link_is_taken_over_without_a_gap(void **state)
{
	struct kernel *kernel;
	uint32_t program, link, ifindex = if_nametoindex("tp-here"), value;
	struct flow_slot slot = {.generation = 9};
	uint32_t zero = 0;

	leave_a_dead_daemons_pins(KERNEL_MODE_AUTO, "tp-here", NULL);
	write_pin("slots", &zero, &slot);
	program = program_on("tp-here");
	link = link_id("link-tp-here");
	kernel = open_kernel(KERNEL_MODE_AUTO);
	/* Until it is asked for the old program goes on. */
	assert_int_equal(program_on("tp-here"), program);
	assert_attached(kernel, "tp-here", KERNEL_MODE_NATIVE);
	assert_int_equal(link_id("link-tp-here"), link);
	assert_int_not_equal(program_on("tp-here"), program);
	assert_int_equal(read_pin("devices", &ifindex, &value), 0);
	/* The maps are new ones. */
	assert_int_equal(read_pin("slots", &zero, &slot), 0);
	assert_int_equal(slot.generation, 0);
	assert_true(program_vanishes(program));
	*state = kernel;
}

static void a_dead_daemons_link_in_another_mode_is_replaced(void **state)
{
	struct kernel *kernel;

	leave_a_dead_daemons_pins(KERNEL_MODE_GENERIC, "tp-here", NULL);
	kernel = open_kernel(KERNEL_MODE_AUTO);
	assert_attached(kernel, "tp-here", KERNEL_MODE_NATIVE);
	*state = kernel;
}

static void a_dead_daemons_link_that_nobody_asks_for_is_let_go(void **state)
{
	struct kernel *kernel;

	leave_a_dead_daemons_pins(KERNEL_MODE_AUTO, "tp-here", "lo");
	kernel = open_kernel(KERNEL_MODE_AUTO);
	assert_attached(kernel, "tp-here", KERNEL_MODE_NATIVE);
	kernel_attach_done(kernel);
	assert_int_equal(program_on("lo"), 0);
	assert_false(pin_exists("link-lo"));
	assert_int_not_equal(program_on("tp-here"), 0);
	*state = kernel;
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* A client's channel to a peer, and back. */
static struct flow_spec to_peer(uint16_t client_port)
{
	struct flow_spec spec = {
		.in = {address("198.51.100.1:1"), address("192.0.2.1:3478"), 0x4001},
		.out = {address("192.0.2.1:50000"), address("203.0.113.9:7000"), 0},
		.expires_ns = 600 * NSEC_PER_SEC,
		.next_hop = 3,
		.allocation = 42,
	};

	spec.in.src.port = client_port;
	return spec;
}

static struct flow_spec to_client6(void)
{
	return (struct flow_spec){
		.in = {address("[2001:db8::9]:7000"), address("[2001:db8::1]:50000"), 0},
		.out = {address("[2001:db8::1]:3478"), address("[2001:db8::5]:1234"), 0x4FFF},
		.expires_ns = 300 * NSEC_PER_SEC,
		.next_hop = 4,
	};
}

static struct flow_table *open_table(struct kernel *kernel, uint32_t worker)
{
	struct flow_table *table;

	assert_int_equal(flow_table_new(kernel, worker, &table), 0);
	return table;
}

static uint32_t add_flow(struct flow_table *table, const struct flow_spec *spec, uint64_t now_ns)
{
	uint32_t slot = 77;

	assert_int_equal(flow_table_add(table, spec, now_ns, &slot), 0);
	return slot;
}

static struct flow_key4 key_of(const struct flow_spec *spec)
{
	struct flow_key4 key = {
		.sport = htons(spec->in.src.port),
		.dport = htons(spec->in.dst.port),
		.channel = htons(spec->in.channel),
	};

	memcpy(&key.src, spec->in.src.ip, 4);
	memcpy(&key.dst, spec->in.dst.ip, 4);
	return key;
}

static void an_ipv4_flow_is_in_index_and_slot(void **state)
{
	struct flow_table *table = open_table(*state, 1);
	struct flow_spec spec = to_peer(1234);
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key4 key = key_of(&spec);
	struct flow_slot slot;
	struct flow_ref ref;
	struct flow_slot expected = {
		.generation = 1,
		.next_hop = 3,
		.expires_ns = 600 * NSEC_PER_SEC,
		.in = {.src.v4 = inet_addr("198.51.100.1"),
		       .dst.v4 = inet_addr("192.0.2.1"),
		       .sport = htons(1234),
		       .dport = htons(3478),
		       .channel = htons(0x4001),
		       .family = FLOW_IPV4,
		       .form = FLOW_FORM_CHANNEL},
		.out = {.src.v4 = inet_addr("192.0.2.1"),
			.dst.v4 = inet_addr("203.0.113.9"),
			.sport = htons(50000),
			.dport = htons(7000),
			.family = FLOW_IPV4,
			.form = FLOW_FORM_UDP},
		.allocation = 42,
		.worker = 1,
	};

	/* The second of two workers has the second half of the slots. */
	assert_int_equal(number, SLOTS / 2);
	assert_int_equal(read_pin("flows4", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	assert_int_equal(ref.generation, 1);
	assert_int_equal(read_pin("slots", &number, &slot), 0);
	assert_memory_equal(&slot, &expected, sizeof(slot));
	assert_int_equal(flow_table_used(table), 1);
	assert_int_equal(flow_table_size(table), SLOTS / 2);
	flow_table_free(&table);
}

static void an_ipv6_flow_is_in_index_and_slot(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_client6();
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key6 key = {.sport = htons(7000), .dport = htons(50000)};
	struct flow_slot slot;
	struct flow_ref ref;

	memcpy(key.src, spec.in.src.ip, 16);
	memcpy(key.dst, spec.in.dst.ip, 16);
	assert_int_equal(read_pin("flows6", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	assert_int_equal(read_pin("slots", &number, &slot), 0);
	assert_int_equal(slot.generation, ref.generation);
	assert_memory_equal(slot.in.src.v6, spec.in.src.ip, 16);
	assert_memory_equal(slot.out.dst.v6, spec.out.dst.ip, 16);
	assert_int_equal(slot.out.channel, htons(0x4FFF));
	assert_int_equal(slot.in.form, FLOW_FORM_UDP);
	assert_int_equal(slot.out.form, FLOW_FORM_CHANNEL);
	flow_table_remove(table, number, NOW);
	assert_int_equal(read_pin("flows6", &key, &ref), -ENOENT);
	flow_table_free(&table);
}

static void expiry_and_next_hop_change_in_place(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_slot slot;

	flow_table_set_expiry(table, number, 900 * NSEC_PER_SEC);
	flow_table_set_next_hop(table, number, 9);
	assert_int_equal(read_pin("slots", &number, &slot), 0);
	assert_int_equal(slot.expires_ns, 900 * NSEC_PER_SEC);
	assert_int_equal(slot.next_hop, 9);
	assert_int_equal(slot.generation, 1);
	flow_table_free(&table);
}

static void a_removed_flow_is_in_no_index_and_its_generation_is_none(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key4 key = key_of(&spec);
	struct flow_slot slot;
	struct flow_ref ref;

	flow_table_remove(table, number, NOW);
	assert_int_equal(read_pin("flows4", &key, &ref), -ENOENT);
	assert_int_equal(read_pin("slots", &number, &slot), 0);
	assert_int_equal(slot.generation, 0);
	assert_int_equal(flow_table_used(table), 0);
	flow_table_free(&table);
}

static void freeing_a_table_removes_its_flows_and_no_others(void **state)
{
	struct flow_table *first = open_table(*state, 0), *second = open_table(*state, 1);
	struct flow_spec a = to_peer(1), b = to_peer(2);
	struct flow_key4 key_a = key_of(&a), key_b = key_of(&b);
	struct flow_ref ref;

	add_flow(first, &a, NOW);
	add_flow(second, &b, NOW);
	flow_table_free(&first);
	assert_int_equal(read_pin("flows4", &key_a, &ref), -ENOENT);
	assert_int_equal(read_pin("flows4", &key_b, &ref), 0);
	flow_table_free(&second);
}

static void a_full_table_is_enospc_until_a_slots_grace_is_over(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec;
	uint32_t slots[SLOTS / 2], slot = 77;
	struct flow_slot reused;

	for (uint16_t i = 0; i < SLOTS / 2; i++) {
		spec = to_peer(i + 1);
		slots[i] = add_flow(table, &spec, NOW);
		assert_in_range(slots[i], 0, SLOTS / 2 - 1);
	}
	spec = to_peer(100);
	assert_int_equal(flow_table_add(table, &spec, NOW, &slot), -ENOSPC);
	flow_table_remove(table, slots[1], NOW);
	assert_int_equal(flow_table_add(table, &spec, NOW + FLOW_GRACE_NS - 1, &slot), -ENOSPC);
	assert_int_equal(slot, 77);
	assert_int_equal(add_flow(table, &spec, NOW + FLOW_GRACE_NS), slots[1]);
	assert_int_equal(read_pin("slots", &slots[1], &reused), 0);
	assert_int_equal(reused.generation, 2);
	flow_table_free(&table);
}

static void a_key_that_is_taken_is_eexist_and_the_first_flow_stays(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	struct flow_key4 key = key_of(&spec);
	uint32_t number = add_flow(table, &spec, NOW), slot = 77;
	struct flow_slot failed;
	struct flow_ref ref;

	assert_int_equal(flow_table_add(table, &spec, NOW, &slot), -EEXIST);
	assert_int_equal(slot, 77);
	assert_int_equal(flow_table_used(table), 1);
	assert_int_equal(read_pin("flows4", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	/* The slot that was tried is free again, with its generation used up. */
	slot = number + 1;
	assert_int_equal(read_pin("slots", &slot, &failed), 0);
	assert_int_equal(failed.generation, 0);
	spec = to_peer(1235);
	assert_int_equal(add_flow(table, &spec, NOW), number + 1);
	assert_int_equal(read_pin("slots", &slot, &failed), 0);
	assert_int_equal(failed.generation, 2);
	flow_table_free(&table);
}

static void a_full_index_is_enospc(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	struct flow_ref ref = {.slot = 1};
	struct flow_key4 key = {0};
	uint32_t slot = 77;

	for (uint32_t i = 0; i < SLOTS; i++) {
		key.src = i;
		write_pin("flows4", &key, &ref);
	}
	assert_int_equal(flow_table_add(table, &spec, NOW, &slot), -ENOSPC);
	assert_int_equal(slot, 77);
	assert_int_equal(flow_table_used(table), 0);
	flow_table_free(&table);
}

static void flows_the_program_cannot_carry_are_refused(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec both_channels = to_peer(1), no_channel = to_peer(1), mixed = to_peer(1);
	struct flow_spec broken = to_peer(1), empty = {0};
	uint32_t slot = 77;

	both_channels.out.channel = 0x4002;
	no_channel.in.channel = 0;
	mixed.out = to_client6().in;
	broken.in.dst = to_client6().in.dst;
	assert_int_equal(flow_table_add(table, &both_channels, NOW, &slot), -EOPNOTSUPP);
	assert_int_equal(flow_table_add(table, &no_channel, NOW, &slot), -EOPNOTSUPP);
	assert_int_equal(flow_table_add(table, &mixed, NOW, &slot), -EOPNOTSUPP);
	assert_int_equal(flow_table_add(table, &broken, NOW, &slot), -EINVAL);
	assert_int_equal(flow_table_add(table, &empty, NOW, &slot), -EINVAL);
	assert_int_equal(flow_table_used(table), 0);
	assert_int_equal(slot, 77);
	flow_table_free(&table);
}

static void count_on_every_cpu(uint32_t slot, uint64_t packets, uint64_t bytes)
{
	int cpus = libbpf_num_possible_cpus();
	struct flow_counter *counters = calloc((size_t)cpus, sizeof(*counters));

	for (int i = 0; i < cpus; i++)
		counters[i] = (struct flow_counter){packets, bytes};
	write_pin("traffic", &slot, counters);
	free(counters);
}

static void traffic_is_summed_over_cpus_and_begins_anew_with_the_next_flow(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(0);
	uint64_t cpus = (uint64_t)libbpf_num_possible_cpus(), now = NOW;
	struct flow_counter counter;
	uint32_t number;

	number = add_flow(table, &spec, now);
	assert_int_equal(flow_table_traffic(table, number, &counter), 0);
	assert_int_equal(counter.packets, 0);
	count_on_every_cpu(number, 3, 1000);
	assert_int_equal(flow_table_traffic(table, number, &counter), 0);
	assert_int_equal(counter.packets, 3 * cpus);
	assert_int_equal(counter.bytes, 1000 * cpus);
	flow_table_remove(table, number, now);
	for (int i = 0; i < SLOTS / 2; i++) {
		now += FLOW_GRACE_NS;
		number = add_flow(table, &spec, now);
		assert_int_equal(flow_table_traffic(table, number, &counter), 0);
		assert_int_equal(counter.packets, 0);
		assert_int_equal(counter.bytes, 0);
		flow_table_remove(table, number, now);
	}
	flow_table_free(&table);
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
	assert_int_equal(read_pin("owned", &key, &own), 0);
	assert_memory_equal(own.listen_ports, expected, sizeof(expected));
	assert_int_equal(own.relay_first, 49152);
	assert_int_equal(own.relay_last, 65535);
	assert_int_equal(kernel_own(*state, &v6, 3478, 0, 0), 0);
	key = (struct flow_own_key){.family = FLOW_IPV6};
	memcpy(key.ip.v6, v6.ip, 16);
	assert_int_equal(read_pin("owned", &key, &own), 0);
	assert_int_equal(own.listen_ports[0], 3478);
	assert_int_equal(own.relay_first, 0);
}

static struct flow_next_hop_entry active_hop(uint32_t id)
{
	struct flow_next_hop hop;

	assert_int_equal(read_pin("nexthops", &id, &hop), 0);
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
	assert_attached(*state, "tp-here", KERNEL_MODE_NATIVE);
	kernel_set_next_hop(*state, 5, &hop);
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

static void stats_are_summed_over_cpus(void **state)
{
	int cpus = libbpf_num_possible_cpus();
	struct flow_stats *values = calloc((size_t)cpus, sizeof(*values)), sum;
	uint32_t zero = 0;

	for (int i = 0; i < cpus; i++) {
		values[i].to_peer = (struct flow_counter){5, 500};
		values[i].headroom.packets = (uint64_t)i;
	}
	write_pin("stats", &zero, values);
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
	struct kernel_options options = options_for(KERNEL_MODE_AUTO);
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
	struct kernel_options options = options_for(KERNEL_MODE_AUTO);

	(void)state;
	options.slots = UINT32_MAX;
	assert_open_fails(&options, -E2BIG, "limits.allocations");
	assert_int_equal(access(pin_path, F_OK), -1);
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
	struct kernel_options options = options_for(KERNEL_MODE_AUTO);
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
	struct kernel_options options = options_for(KERNEL_MODE_AUTO);
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	child_assert(unshare(CLONE_NEWNS) == 0);
	while (umount2("/sys/fs/bpf", MNT_DETACH) == 0)
		continue;
	child_assert(kernel_open(&options, &kernel, &problem) == 0);
	child_assert(pin_exists("slots"));
	kernel_close(&kernel);
	child_assert(access(pin_path, F_OK) == -1);
	child_assert(umount("/sys/fs/bpf") == 0);
}

static void a_bpffs_that_is_not_mounted_is_mounted(void **state)
{
	(void)state;
	in_a_child(check_mounting);
}

static void check_unmountable(void)
{
	struct kernel_options options = options_for(KERNEL_MODE_AUTO);
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

/* Mounts that the tests make, the bpffs among them, are seen by nobody else. */
static bool make_private_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

#define opened(test)	   cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define opens_itself(test) cmocka_unit_test_setup_teardown(test, set_up_pair, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		opened(open_pins_what_the_abi_names_in_a_private_folder),
		opens_itself(close_leaves_no_program_no_link_and_no_pin),
		opened(a_veth_gets_native_mode_a_pinned_link_and_a_device_entry),
		opened(an_interface_whose_name_has_a_dot_is_pinned_without),
		opens_itself(mode_generic_is_generic_where_native_would_do),
		opened(auto_falls_back_to_generic_and_says_why),
		opens_itself(mode_native_stays_without_where_the_driver_refuses),
		opened(an_mtu_that_is_too_large_is_named_as_a_likely_cause),
		opened(generic_interfaces_are_no_redirect_targets_beside_native_ones),
		opened(an_interface_that_does_not_exist_is_enodev),
		opened(another_program_is_named_and_left_alone),
		opens_itself(a_dead_daemons_link_is_taken_over_without_a_gap),
		opens_itself(a_dead_daemons_link_in_another_mode_is_replaced),
		opens_itself(a_dead_daemons_link_that_nobody_asks_for_is_let_go),
		opened(an_ipv4_flow_is_in_index_and_slot),
		opened(an_ipv6_flow_is_in_index_and_slot),
		opened(expiry_and_next_hop_change_in_place),
		opened(a_removed_flow_is_in_no_index_and_its_generation_is_none),
		opened(freeing_a_table_removes_its_flows_and_no_others),
		opened(a_full_table_is_enospc_until_a_slots_grace_is_over),
		opened(a_key_that_is_taken_is_eexist_and_the_first_flow_stays),
		opened(a_full_index_is_enospc),
		opened(flows_the_program_cannot_carry_are_refused),
		opened(traffic_is_summed_over_cpus_and_begins_anew_with_the_next_flow),
		opened(what_is_said_of_an_own_address_adds_up),
		opened(a_hop_is_published_and_one_over_a_strange_interface_is_not_valid),
		opened(stats_are_summed_over_cpus),
		opens_itself(a_pin_path_that_is_on_no_bpffs_says_how_to_mount_one),
		opens_itself(more_flows_than_memory_holds_name_the_key_to_lower),
		opens_itself(missing_capabilities_are_named),
		opens_itself(a_bpffs_that_is_not_mounted_is_mounted),
		opens_itself(a_bpffs_that_cannot_be_mounted_says_how),
	};

	if (!netns_may_run("test_kernel"))
		return 0;
	if (!make_private_mounts()) {
		printf("SKIP test_kernel: needs root to make a mount namespace\n");
		return 0;
	}
	snprintf(pin_path, sizeof(pin_path), "/sys/fs/bpf/tp-test-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
