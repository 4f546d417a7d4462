/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The benchmark's XDP programs: what a program under test is compared with, and what makes each of
 * its runs the same.
 *
 * BPF_PROG_TEST_RUN hands the same frame to every repetition, as the one before left it. A program
 * that moves and rewrites headers would succeed once and then time its failure path. bench_restore
 * puts the frame back and jumps into the program under test, unchanged and as it was loaded, by a
 * tail call. Every BENCH_BLOCK runs it looks at the clock and goes on to the next slot, so that
 * empty program and program under test alternate within microseconds.
 */
#include "bare.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BENCH_SLOT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} bench_programs SEC(".maps");

struct bench_head bench_head; /* what the frame begins with */
__u64 bench_tail;	      /* what it ends with, if bench_cut */
__u32 bench_len;	      /* of the frame before each run */
__s32 bench_shift;	      /* by which the program under test shortens the headers */
__u32 bench_cut;	      /* what it cuts off the end: 8 or 0 */
__u32 bench_slot;	      /* enum bench_slot; whose turn it is */
__u32 bench_runs;	      /* so far */
__u64 bench_began_ns;	      /* of the block */
__u32 bench_block_ns[BENCH_BLOCKS];
__u64 bench_failures; /* runs whose frame could not be put back */

__u32 bench_sink_len; /* of the frames that the sink expects */
__u64 bench_sunk;
__u64 bench_strays; /* other frames that it got */

static __always_inline bool bench_write_head(struct xdp_md *xdp)
{
	void *to = (void *)(long)xdp->data;

	if (to + BENCH_HEAD_LEN > (void *)(long)xdp->data_end)
		return false;
	*(__u16 *)to = bench_head.first;
	*(__u32 *)(to + 2) = bench_head.second;
#pragma unroll
	for (int i = 0; i < BENCH_WORDS; i++)
		*(__u64 *)(to + 6 + 8 * i) = bench_head.words[i];
	return true;
}

static __always_inline bool bench_write_tail(struct xdp_md *xdp)
{
	void *to = (void *)(long)xdp->data;
	__u64 at = bench_len - sizeof(bench_tail);

	if (at > 2048)
		return false;
	to += at;
	barrier_var(to);
	if (to + sizeof(bench_tail) > (void *)(long)xdp->data_end)
		return false;
	*(__u64 *)to = bench_tail;
	return true;
}

static __always_inline bool bench_move(struct xdp_md *xdp, int shift, int grow)
{
	if (shift && bpf_xdp_adjust_head(xdp, shift))
		return false;
	return !grow || !bpf_xdp_adjust_tail(xdp, grow);
}

static __always_inline bool bench_put_back(struct xdp_md *xdp)
{
	/* The first run of many finds the frame whole, and one behind an empty program does. */
	if (xdp->data_end - xdp->data != bench_len && !bench_move(xdp, -bench_shift, bench_cut))
		return false;
	if (bench_slot == BENCH_MOVED && (!bench_move(xdp, bench_shift, -(int)bench_cut) ||
					  !bench_move(xdp, -bench_shift, bench_cut)))
		return false;
	if (bench_cut && !bench_write_tail(xdp))
		return false;
	return bench_write_head(xdp);
}

/* Every block of every slot has one such call and one reading of the clock in it. */
static __always_inline void bench_next_turn(__u32 block)
{
	__u64 now = bpf_ktime_get_ns();

	bench_block_ns[(block - 1) & (BENCH_BLOCKS - 1)] = now - bench_began_ns;
	bench_slot = block % BENCH_SLOT_MAX;
	bench_began_ns = now;
}

SEC("xdp")
int bench_restore(struct xdp_md *xdp)
{
	__u32 run = bench_runs++;

	if (run % BENCH_BLOCK == 0)
		bench_next_turn(run / BENCH_BLOCK);
	if (bench_put_back(xdp)) {
		/* Constant slots make jumps, without a speculation barrier. */
		if (bench_slot == BENCH_STILL)
			bpf_tail_call_static(xdp, &bench_programs, BENCH_STILL);
		else if (bench_slot == BENCH_MOVED)
			bpf_tail_call_static(xdp, &bench_programs, BENCH_MOVED);
		else
			bpf_tail_call_static(xdp, &bench_programs, BENCH_UNDER_TEST);
	}
	bench_failures++;
	return XDP_ABORTED;
}

SEC("xdp")
int bench_empty_pass(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_PASS;
}

SEC("xdp")
int bench_empty_tx(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_TX;
}

/* Live frames come back whole, but with the bytes that the last run wrote. */
SEC("xdp")
int bench_generate(struct xdp_md *xdp)
{
	if (bench_write_head(xdp))
		return XDP_TX;
	bench_failures++;
	return XDP_DROP;
}

SEC("xdp")
int bench_sink(struct xdp_md *xdp)
{
	if (xdp->data_end - xdp->data == bench_sink_len)
		bench_sunk++;
	else
		bench_strays++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
