/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets per second between two links. See path.h.
 *
 * Frames are made by BPF_PROG_TEST_RUN with live frames: the kernel sends each frame that the
 * program bench_generate returns XDP_TX for out of its link, so that it arrives at the relay's. The
 * frames are used again, with the bytes that the relay wrote; bench_generate writes the headers
 * anew, and the kernel puts the ends back. The relay's program sends them on to a link whose
 * program counts and drops them. A veth receives in the softirq of whoever sent, so all of it takes
 * place on the one CPU that this thread is pinned to: a packet's time is generator, relay, two
 * links and sink, and what differs between the three is the relay.
 */
#include "path.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "forms.h"

#define WARM_UP	      20000
#define BATCH	      64
#define PATIENCE_NS   (20 * NSEC_PER_MSEC)
#define CHANNEL_BYTES 4

static const struct way {
	struct form form;
	bool across;
	int grows; /* bytes */
} ways[] = {
	[PATH_UP_ACROSS] = {{.verdict = FLOW_VERDICT_TO_PEER,
			     .payload = FORMS_CHANNEL,
			     .channel = CHANNEL_ACROSS,
			     .src = CLIENT4,
			     .dst = LISTEN4},
			    .across = true,
			    .grows = -CHANNEL_BYTES},
	[PATH_DOWN_ACROSS] = {{.verdict = FLOW_VERDICT_TO_CLIENT,
			       .payload = FORMS_DATA,
			       .src = ACROSS4,
			       .dst = RELAY44},
			      .across = true,
			      .grows = CHANNEL_BYTES},
	[PATH_UP_BACK] = {{.verdict = FLOW_VERDICT_TO_PEER,
			   .payload = FORMS_CHANNEL,
			   .channel = CHANNEL_PLAIN,
			   .src = CLIENT4,
			   .dst = LISTEN4},
			  .grows = -CHANNEL_BYTES},
};

static const char *const way_names[] = {
#define X(constant, name) name,
	PATH_WAYS(X)
#undef X
};

const char *path_way_name(enum path_way way)
{
	return way_names[way];
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static uint64_t sunk(const struct world *world)
{
	return *(volatile const __u64 *)&world->bench->bss->bench_sunk;
}

/* When the last frame came in: some may still be on a link when the generator is done. */
static uint64_t wait_for(const struct world *world, uint64_t expected)
{
	uint64_t last = wall_ns(), now = last, seen = sunk(world);

	while (seen < expected && now - last < PATIENCE_NS) {
		sched_yield();
		now = wall_ns();
		if (sunk(world) == seen)
			continue;
		seen = sunk(world);
		last = now;
	}
	return last;
}

static int send_frames(const struct world *world, const struct way *way, enum world_relay relay,
		       uint32_t count, double *ret_ns)
{
	uint8_t frame[FORMS_FRAME_MAX];
	struct bench_bpf__bss *set = world->bench->bss;
	size_t len = forms_build(&way->form, frame);
	struct xdp_md context = {.data_end = (uint32_t)len,
				 .ingress_ifindex = world->links[relay].generator};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (uint32_t)len,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	uint64_t expected = sunk(world) + count, begin;
	int err;

	memcpy((uint8_t *)&set->bench_head + BENCH_HEAD_AT, frame, BENCH_HEAD_LEN);
	set->bench_sink_len = (uint32_t)((int)len + (relay == WORLD_WIRE ? 0 : way->grows));
	set->wire_egress = way->across ? world->links[WORLD_WIRE].egress : 0;
	begin = wall_ns();
	err = bpf_prog_test_run_opts(bpf_program__fd(world->bench->progs.bench_generate), &options);
	*ret_ns = (double)(wait_for(world, expected) - begin);
	return err;
}

static uint64_t carried(const struct world *world, const struct way *way)
{
	struct flow_stats stats = {0};

	kernel_read_stats(world->kernel, &stats);
	return way->form.verdict == FLOW_VERDICT_TO_PEER ? stats.to_peer.packets
							 : stats.to_client.packets;
}

static int measure(const struct world *world, const struct way *way, enum world_relay relay,
		   struct path_result *result, double *ret_rate)
{
	uint64_t arrived, counted;
	double ns;
	int err = send_frames(world, way, relay, WARM_UP, &ns);

	arrived = sunk(world);
	counted = carried(world, way);
	if (!err)
		err = send_frames(world, way, relay, PATH_PACKETS, &ns);
	if (err)
		return err;
	arrived = sunk(world) - arrived;
	result->sent += PATH_PACKETS;
	result->arrived += arrived;
	result->counted += carried(world, way) - counted;
	*ret_rate = (double)arrived / (ns / 1e9);
	samples_add(&result->packets_per_second, *ret_rate);
	return 0;
}

/* Each round begins with another one, lest a place in the order be an advantage. */
static int measure_way(const struct world *world, enum path_way way, int round,
		       struct path_results *ret)
{
	struct path_result *results = ret->result[way];
	double rate[WORLD_RELAY_MAX];
	int err = 0;

	for (int i = 0; i < WORLD_RELAY_MAX && !err; i++) {
		enum world_relay relay = (enum world_relay)((i + round) % WORLD_RELAY_MAX);

		err = measure(world, &ways[way], relay, &results[relay], &rate[relay]);
	}
	for (int i = 0; i < WORLD_RELAY_MAX && !err; i++) {
		samples_add(&results[i].of_bare, rate[i] / rate[WORLD_BARE]);
		samples_add(&results[i].of_wire, rate[i] / rate[WORLD_WIRE]);
	}
	return err;
}

int path_measure(const struct world *world, struct path_results *ret)
{
	double ns;
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->skipped = send_frames(world, &ways[0], WORLD_WIRE, 1, &ns);
	if (ret->skipped)
		return 0;
	for (int round = 0; round < PATH_ROUNDS; round++) {
		for (int way = 0; way < PATH_WAY_MAX; way++) {
			err = measure_way(world, (enum path_way)way, round, ret);
			if (err) {
				fprintf(stderr, "bench: live frames: %s\n", strerror(-err));
				return err;
			}
		}
	}
	return 0;
}
