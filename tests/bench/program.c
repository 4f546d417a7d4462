/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one packet costs inside the program. See program.h.
 *
 * Timing a single run would time the clock and cold caches; many runs of one frame time the failure
 * path, because BPF_PROG_TEST_RUN hands on the frame as the run before left it. So each run begins
 * with a program of the bench (bench_restore) that moves the frame's ends back, writes its
 * headers anew and enters the program under test by a tail call. An empty program behind it is
 * measured in turns with the program under test, and subtracted. What bench_restore does in a run
 * depends on the program behind it in one thing: it undoes that program's moves. An empty program
 * moves nothing, so it takes two turns, one with no move and one with each move made and undone;
 * the mean of both is one move, as before the program under test.
 *
 * Turns are blocks of a few microseconds, and the median block of a round counts: a neighbour on
 * the machine disturbs some blocks, and all three alike. The program's counters say how many of the
 * runs took the path that was meant: all, or the figures are void.
 */
#include "program.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define WARM_UP_BLOCKS 10     /* of each slot, not looked at */
#define PLAIN_REPEAT   100000 /* runs without the harness */

_Static_assert(PROGRAM_BLOCKS *BENCH_SLOT_MAX <= BENCH_BLOCKS, "room for each block");

/* A program with a frame and what it makes of it. */
struct subject {
	int fd;
	uint32_t ifindex;
	size_t len;
	uint8_t frame[FORMS_FRAME_MAX];
	int shift; /* by which it shortens the headers */
	uint32_t cut;
};

static int run(int fd, const struct subject *s, uint32_t action, uint32_t repeat, double *ret_ns)
{
	struct xdp_md context = {.data_end = (uint32_t)s->len, .ingress_ifindex = s->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = s->frame,
		    .data_size_in = (uint32_t)s->len, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(fd, &options);

	if (err)
		return err;
	*ret_ns = options.duration;
	return options.retval == action ? 0 : -EPROTO;
}

static int set_up_harness(const struct world *world, const struct subject *s)
{
	struct bench_bpf__bss *set = world->bench->bss;
	int empty = bpf_program__fd(world->bench->progs.bench_empty_tx);
	int map = bpf_map__fd(world->bench->maps.bench_programs), err = 0;

	memcpy((uint8_t *)&set->bench_head + BENCH_HEAD_AT, s->frame, BENCH_HEAD_LEN);
	memcpy(&set->bench_tail, s->frame + s->len - sizeof(set->bench_tail),
	       sizeof(set->bench_tail));
	set->bench_len = (uint32_t)s->len;
	set->bench_shift = s->shift;
	set->bench_cut = s->cut;
	set->bench_runs = 0;
	for (uint32_t slot = 0; slot < BENCH_SLOT_MAX && !err; slot++)
		err = bpf_map_update_elem(map, &slot, slot == BENCH_UNDER_TEST ? &s->fd : &empty,
					  BPF_ANY);
	return err;
}

/* Nanoseconds of one run, by the median of a slot's blocks. */
static double of_slot(const struct world *world, enum bench_slot slot)
{
	struct samples blocks = {0};

	for (uint32_t i = WARM_UP_BLOCKS; i < PROGRAM_BLOCKS; i++)
		samples_add(&blocks, world->bench->bss->bench_block_ns[i * BENCH_SLOT_MAX + slot]);
	return samples_summary(&blocks).median / BENCH_BLOCK;
}

static int measure(const struct world *world, const struct subject *s, double *ret_harness_ns,
		   double *ret_ns)
{
	int harness = bpf_program__fd(world->bench->progs.bench_restore);
	double average;
	int err = set_up_harness(world, s);

	/* One run more, an empty program's, ends the last block. */
	if (!err)
		err = run(harness, s, XDP_TX, PROGRAM_RUNS * BENCH_SLOT_MAX + 1, &average);
	if (err)
		return err;
	*ret_harness_ns = (of_slot(world, BENCH_STILL) + of_slot(world, BENCH_MOVED)) / 2;
	*ret_ns = of_slot(world, BENCH_UNDER_TEST) - *ret_harness_ns;
	return 0;
}

/* One run without the harness: what becomes of the frame, and whether that is right. */
static int learn(const struct form *form, struct subject *s)
{
	uint8_t out[FORMS_FRAME_MAX];
	struct xdp_md context = {.data_end = (uint32_t)s->len, .ingress_ifindex = s->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = s->frame,
		    .data_size_in = (uint32_t)s->len, .data_out = out, .data_size_out = sizeof(out),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int err = bpf_prog_test_run_opts(s->fd, &options);

	if (err)
		return err;
	s->cut = form->cut;
	s->shift = (int)s->len - (int)s->cut - (int)options.data_size_out;
	if (options.retval == XDP_TX || options.retval == XDP_REDIRECT)
		return forms_is_sound(out, options.data_size_out) ? 0 : -EBADMSG;
	return options.retval == XDP_PASS && options.data_size_out == s->len ? 0 : -EPROTO;
}

static int make_subject(const struct form *form, int fd, uint32_t ifindex, struct subject *ret)
{
	int err;

	*ret = (struct subject){.fd = fd, .ifindex = ifindex};
	ret->len = forms_build(form, ret->frame);
	err = learn(form, ret);
	if (err)
		fprintf(stderr, "bench: %s %s: %s\n", form->name, form->families,
			err == -EBADMSG ? "what leaves is no sound packet" : strerror(-err));
	return err;
}

static uint64_t count_of(const struct world *world, enum flow_verdict verdict)
{
	struct flow_counter counters[FLOW_VERDICT_MAX];
	struct flow_stats stats = {0};

	_Static_assert(sizeof(stats) == sizeof(counters), "one counter for each verdict");
	kernel_read_stats(world->kernel, &stats);
	memcpy(counters, &stats, sizeof(stats));
	return counters[verdict].packets;
}

static int measure_bare(const struct world *world, const struct subject *s,
			struct program_result *result, double *ret_ns)
{
	uint64_t before = world->bench->bss->bare_failures;
	double harness;
	int err = measure(world, s, &harness, ret_ns);

	result->bare_runs += PROGRAM_RUNS;
	result->bare_failures += world->bench->bss->bare_failures - before;
	if (!err)
		samples_add(&result->bare_ns, *ret_ns);
	return err;
}

static int measure_form(const struct world *world, const struct subject *s,
			const struct subject *bare, struct program_result *result)
{
	uint64_t before = count_of(world, result->form->verdict);
	double harness, ns, bare_ns = 0;
	int err = measure(world, s, &harness, &ns);

	if (err)
		return err;
	result->runs += PROGRAM_RUNS;
	result->successes += count_of(world, result->form->verdict) - before;
	samples_add(&result->ns, ns);
	if (!bare)
		return 0;
	err = measure_bare(world, bare, result, &bare_ns);
	if (!err)
		samples_add(&result->of_bare, ns / bare_ns);
	return err;
}

/* Whether the harness says of a miss, which needs no putting back, what a plain run says. */
static int measure_plainly(const struct world *world, const struct subject *miss,
			   const struct subject *wire, struct program_results *ret)
{
	int empty = bpf_program__fd(world->bench->progs.bench_empty_pass);
	double empty_ns, plain, harness, ns;
	int err = run(empty, miss, XDP_PASS, PLAIN_REPEAT, &empty_ns);

	if (!err)
		err = run(miss->fd, miss, XDP_PASS, PLAIN_REPEAT, &plain);
	if (err)
		return err;
	samples_add(&ret->empty_ns, empty_ns);
	samples_add(&ret->plain_ns, plain - empty_ns);
	err = measure(world, miss, &harness, &ns);
	if (err)
		return err;
	samples_add(&ret->harness_ns, harness);
	samples_add(&ret->harnessed_ns, ns);
	err = measure(world, wire, &harness, &ns);
	if (!err)
		samples_add(&ret->wire_ns, ns);
	return err;
}

struct subjects {
	struct subject form[PROGRAM_FORMS_MAX];
	struct subject bare[FORMS_REFERENCE_MAX];
	struct subject wire;
	const struct subject *miss;
};

/* A form that this program does not carry yet is shown as such, not as a failure. */
static int make_form(const struct world *world, const struct form *form, struct subject *ret,
		     struct program_result *ret_result)
{
	uint64_t before = count_of(world, form->verdict);
	int err = make_subject(form, world->turnpike_fd, world->links[WORLD_TURNPIKE].ingress, ret);

	ret_result->form = form;
	ret_result->unsupported = !err && count_of(world, form->verdict) != before + 1;
	return err;
}

static int make_subjects(const struct world *world, struct subjects *ret,
			 struct program_results *ret_results)
{
	int bare = bpf_program__fd(world->bench->progs.bare), err = 0;
	int wire = bpf_program__fd(world->bench->progs.wire);

	ASSERT(forms_count <= PROGRAM_FORMS_MAX);
	for (size_t i = 0; i < FORMS_REFERENCE_MAX && !err; i++)
		err = make_subject(&forms_references[i], bare, world->links[WORLD_BARE].ingress,
				   &ret->bare[i]);
	if (!err)
		err = make_subject(&forms_references[FORMS_BARE_UP4], wire,
				   world->links[WORLD_WIRE].ingress, &ret->wire);
	for (size_t i = 0; i < forms_count && !err; i++) {
		err = make_form(world, &forms[i], &ret->form[i], &ret_results->form[i]);
		if (forms[i].verdict == FLOW_VERDICT_NO_FLOW && !ret->miss)
			ret->miss = &ret->form[i];
	}
	return err;
}

static int measure_round(const struct world *world, const struct subjects *subjects,
			 struct program_results *ret)
{
	int err = measure_plainly(world, subjects->miss, &subjects->wire, ret);

	for (size_t i = 0; i < forms_count && !err; i++) {
		const struct subject *bare = forms_is_carried(&forms[i])
						     ? &subjects->bare[forms[i].bare]
						     : NULL;

		if (!ret->form[i].unsupported)
			err = measure_form(world, &subjects->form[i], bare, &ret->form[i]);
	}
	return err;
}

int program_measure(const struct world *world, struct program_results *ret)
{
	static struct subjects subjects;
	int err;

	memset(ret, 0, sizeof(*ret));
	err = make_subjects(world, &subjects, ret);
	for (int i = 0; i < PROGRAM_ROUNDS && !err; i++)
		err = measure_round(world, &subjects, ret);
	ret->put_back_failures = world->bench->bss->bench_failures;
	if (err)
		fprintf(stderr, "bench: a test run failed: %s\n", strerror(-err));
	return err;
}

int program_read_size(int fd, struct program_size *ret)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*ret = (struct program_size){.verified_insns = info.verified_insns,
				     .insns = info.xlated_prog_len / sizeof(struct bpf_insn),
				     .jited_bytes = info.jited_prog_len};
	return 0;
}
