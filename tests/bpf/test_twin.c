/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The differential test: each generated packet goes through the XDP program, by
 * BPF_PROG_TEST_RUN, and through turn behind a small model of the host's stack, both with the same
 * state; and the outcomes are compared. Says its seeds; `--seed N` runs one again, `--count N`
 * sets how many packets each seed makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/macros.h"
#include "kernel_fixture.h"
#include "rig.h"
#include "twin_flows.h"
#include "twin_judge.h"
#include "twin_tally.h"

#define SEED_FIXED	  1
#define COUNT_DEFAULT	  50000
#define PACKETS_PER_WORLD 1000

struct twin {
	struct twin_kernel kernel;
	struct twin_world *world; /* of the packet under test */
	uint64_t seed, count;
	bool seed_given;
	struct twin_tally tally;
};

static struct twin twin = {.count = COUNT_DEFAULT};

static uint64_t packets_of(const struct flow_stats *stats, int verdict)
{
	struct flow_counter counters[FLOW_VERDICT_MAX];

	memcpy(counters, stats, sizeof(counters));
	return counters[verdict].packets;
}

static enum flow_verdict verdict_between(const struct flow_stats *before,
					 const struct flow_stats *after)
{
	enum flow_verdict found = FLOW_VERDICT_MAX;

	for (int i = 0; i < FLOW_VERDICT_MAX; i++) {
		uint64_t counted = packets_of(after, i) - packets_of(before, i);

		if (!counted)
			continue;
		assert_int_equal(counted, 1);
		assert_int_equal(found, FLOW_VERDICT_MAX);
		found = (enum flow_verdict)i;
	}
	assert_int_not_equal(found, FLOW_VERDICT_MAX);
	return found;
}

static void run_program(const struct twin_packet *packet, struct twin_result *ret)
{
	struct flow_stats before, after;
	struct xdp_md context = {.data_end = (uint32_t)packet->len,
				 .ingress_ifindex = twin.kernel.ingress};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->frame,
		    .data_size_in = (uint32_t)packet->len, .data_out = ret->frame,
		    .data_size_out = sizeof(ret->frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));
	int err;

	assert_int_equal(kernel_read_stats(twin.kernel.kernel, &before), 0);
	err = bpf_prog_test_run_opts(twin.kernel.program, &options);
	if (err)
		fail_msg("BPF_PROG_TEST_RUN of %zu bytes: %s", packet->len, strerror(-err));
	assert_int_equal(kernel_read_stats(twin.kernel.kernel, &after), 0);
	ret->action = options.retval;
	ret->len = options.data_size_out;
	ret->verdict = verdict_between(&before, &after);
}

static void print_hex(const char *title, const uint8_t *bytes, size_t len)
{
	printf("%s, %zu bytes:\n", title, len);
	for (size_t i = 0; i < len; i++)
		printf("%02x%s", bytes[i], i % 32 == 31 || i + 1 == len ? "\n" : "");
}

static const char *action_name(uint32_t action)
{
	static const char *const names[] = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					    "XDP_REDIRECT"};

	return action < ARRAY_SIZE(names) ? names[action] : "?";
}

static void complain(const char *wrong, uint64_t seed, uint64_t number,
		     const struct twin_packet *packet, const struct twin_result *result,
		     const struct twin_outcome *daemon)
{
	printf("packet %llu of seed %llu (%s%s): %s\n", (unsigned long long)number,
	       (unsigned long long)seed, twin_kind_name(packet->kind),
	       packet->damaged ? ", damaged" : "", wrong);
	print_hex("the packet", packet->frame, packet->len);
	printf("the kernel: %s, counted as %s\n", action_name(result->action),
	       rig_verdict_name(result->verdict));
	if (result->action != XDP_PASS)
		print_hex("its frame", result->frame, result->len);
	printf("the host's stack: %s\n", twin_host_name(daemon->host));
	if (daemon->relayed) {
		printf("the daemon: from %s to %s%s\n", ADDR_TEXT(&daemon->src),
		       ADDR_TEXT(&daemon->dst), daemon->hairpin ? ", by another allocation" : "");
		print_hex("its payload", daemon->payload, daemon->len);
	} else {
		printf("the daemon: sends nothing\n");
	}
	fail_msg("%s; again with --seed %llu --count %llu", wrong, (unsigned long long)seed,
		 (unsigned long long)number + 1);
}

static void note(struct twin_flow *flow, const struct twin_outcome *daemon)
{
	if (!flow)
		return;
	flow->carried_packets++;
	flow->carried_bytes += daemon->data_len;
}

/* What the slots' counters must say in the end: application data, as the daemon counts it. */
static void note_traffic(struct twin_world *world, const struct twin_result *result,
			 const struct twin_outcome *daemon)
{
	struct twin_route route;

	if (result->action != XDP_TX && result->action != XDP_REDIRECT)
		return;
	assert_true(twin_flows_route(world, daemon, &route));
	note(route.first, daemon);
	note(route.second, daemon);
}

static void check_flow_traffic(const struct twin_world *world, const struct twin_flow *flow)
{
	struct flow_counter counter;

	if (!flow->installed)
		return;
	assert_int_equal(flow_table_traffic(world->table, flow->slot, &counter), 0);
	assert_int_equal(counter.packets, flow->carried_packets);
	assert_int_equal(counter.bytes, flow->carried_bytes);
}

static void check_traffic(const struct twin_world *world)
{
	for (size_t i = 0; i < TWIN_FLOWS; i++)
		check_flow_traffic(world, &world->flows[i]);
}

/* One sum in 65536 is all ones by chance: here some are on purpose. */
static void balance(struct twin_world *world, struct twin_random *random,
		    struct twin_packet *packet)
{
	static struct twin_outcome daemon;

	if (packet->damaged || packet->shape.sum == TWIN_SUM_WRONG ||
	    (packet->kind != TWIN_KIND_CHANNEL && packet->kind != TWIN_KIND_PEER) ||
	    !twin_chance(random, 5))
		return;
	twin_daemon_receive(world, span_make(packet->frame, packet->len), &daemon);
	if (daemon.relayed)
		twin_packet_balance(packet,
				    twin_host_udp_sum(&daemon.src, &daemon.dst,
						      span_make(daemon.payload, daemon.len)));
}

static void run_packet(uint64_t seed, uint64_t number)
{
	struct twin_world *world = twin.world;
	static struct twin_packet packet;
	static struct twin_result result;
	static struct twin_outcome daemon;
	struct twin_random random = {.state = seed ^ (number + 1) * 0xd6e8feb86659fd93ULL};
	const char *wrong;

	twin_packet_draw(world, &random, &packet);
	balance(world, &random, &packet);
	run_program(&packet, &result);
	twin_daemon_receive(world, span_make(packet.frame, packet.len), &daemon);
	wrong = twin_judge(world, &packet, &result, &daemon);
	if (wrong)
		complain(wrong, seed, number, &packet, &result, &daemon);
	twin_tally_add(&twin.tally, world, &packet, &result, &daemon);
	note_traffic(world, &result, &daemon);
}

/* Takes a world apart that a failed test left as well. */
static void end_world(void)
{
	twin_world_free(&twin.world);
}

static void run_seed(uint64_t seed)
{
	printf("seed %llu, %llu packets\n", (unsigned long long)seed,
	       (unsigned long long)twin.count);
	end_world();
	for (uint64_t i = 0; i < twin.count; i++) {
		if (!twin.world)
			twin.world = twin_world_new(&twin.kernel, seed + i / PACKETS_PER_WORLD);
		run_packet(seed, i);
		if (i + 1 == twin.count || (i + 1) % PACKETS_PER_WORLD == 0) {
			check_traffic(twin.world);
			end_world();
		}
	}
}

static void packets_of_a_fixed_seed_fare_alike_in_kernel_and_daemon(void **state)
{
	(void)state;
	run_seed(twin.seed_given ? twin.seed : SEED_FIXED);
}

static void packets_of_a_new_seed_fare_alike_in_kernel_and_daemon(void **state)
{
	uint32_t seed;

	(void)state;
	if (twin.seed_given)
		skip();
	assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	run_seed(seed);
}

static void every_form_was_carried(void **state)
{
	size_t missing = twin_tally_print(&twin.tally);

	(void)state;
	if (twin.count < COUNT_DEFAULT)
		skip();
	assert_int_equal(missing, 0);
	assert_true(twin.tally.damaged_sums > 0);
}

static int open_twin(void **state)
{
	(void)state;
	twin_kernel_open(&twin.kernel);
	return 0;
}

static int close_twin(void **state)
{
	(void)state;
	end_world();
	twin_kernel_close(&twin.kernel);
	return 0;
}

static int parse_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		uint64_t value;
		char *end;

		if (i + 1 == argc)
			return -EINVAL;
		value = strtoull(argv[i + 1], &end, 0);
		if (*end || end == argv[i + 1])
			return -EINVAL;
		if (strcmp(argv[i], "--seed") == 0) {
			twin.seed = value;
			twin.seed_given = true;
		} else if (strcmp(argv[i], "--count") == 0) {
			twin.count = value;
		} else {
			return -EINVAL;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_of_a_fixed_seed_fare_alike_in_kernel_and_daemon),
		cmocka_unit_test(packets_of_a_new_seed_fare_alike_in_kernel_and_daemon),
		cmocka_unit_test(every_form_was_carried),
	};

	if (parse_options(argc, argv) < 0) {
		fprintf(stderr, "usage: %s [--seed N] [--count N]\n", argv[0]);
		return 2;
	}
	/* Whoever reads only the beginning of what is printed must not leave pins behind. */
	signal(SIGPIPE, SIG_IGN);
	if (!fixture_may_run("test_twin"))
		return 0;
	return cmocka_run_group_tests(tests, open_twin, close_twin);
}
