/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When allocations next have something to expire: a binary heap. An allocation is in it once,
 * with a time that nothing inside it precedes. Refreshing only moves things later, so the time is
 * left alone then and put right when it comes: a refresh costs nothing here, and a tick looks at
 * an allocation about once per permission lifetime.
 */
#include "turn/state.h"

static void place(struct turn *turn, struct allocation *a, uint32_t at)
{
	turn->timers[at] = a;
	a->timer_at = at;
}

static void sift_up(struct turn *turn, struct allocation *a, uint32_t at)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 2;

		if (turn->timers[parent]->due_ns <= a->due_ns)
			break;
		place(turn, turn->timers[parent], at);
		at = parent;
	}
	place(turn, a, at);
}

static void sift_down(struct turn *turn, struct allocation *a, uint32_t at)
{
	for (;;) {
		uint32_t child = at * 2 + 1;

		if (child >= turn->timer_count)
			break;
		if (child + 1 < turn->timer_count &&
		    turn->timers[child + 1]->due_ns < turn->timers[child]->due_ns)
			child++;
		if (turn->timers[child]->due_ns >= a->due_ns)
			break;
		place(turn, turn->timers[child], at);
		at = child;
	}
	place(turn, a, at);
}

void timer_add(struct turn *turn, struct allocation *a, uint64_t due_ns)
{
	ASSERT(a->timer_at == TIMER_NONE && turn->timer_count < turn->room);
	a->due_ns = due_ns;
	sift_up(turn, a, turn->timer_count++);
}

void timer_remove(struct turn *turn, struct allocation *a)
{
	uint32_t at = a->timer_at;

	if (at == TIMER_NONE)
		return;
	a->timer_at = TIMER_NONE;

	struct allocation *last = turn->timers[--turn->timer_count];

	if (last == a)
		return;
	/* It may belong above or below: the one that has nothing to do leaves it in place. */
	sift_up(turn, last, at);
	sift_down(turn, last, last->timer_at);
}

void timer_set(struct turn *turn, struct allocation *a, uint64_t due_ns)
{
	a->due_ns = due_ns;
	sift_up(turn, a, a->timer_at);
	sift_down(turn, a, a->timer_at);
}

void timer_bring_forward(struct turn *turn, struct allocation *a, uint64_t due_ns)
{
	if (due_ns < a->due_ns)
		timer_set(turn, a, due_ns);
}
