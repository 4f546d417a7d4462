/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `make bench`: what Turnpike's XDP program costs, next to an empty program, to one that does the
 * least that a relay must, and to a wire. Nothing here passes or fails by its time; the exit
 * status says whether it could be measured, and whether every run took the path that was meant.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* To the last CPU that this process may use: interrupts are mostly on the first. */
static void pin(void)
{
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static bool is_proved(const struct report *report)
{
	/* `bare` counts what it does not forward, on the way from end to end too; so does `wire`.
	 */
	bool ret = report->program.put_back_failures == 0 &&
		   report->world->bench->bss->bare_failures == 0;

	for (size_t i = 0; i < forms_count; i++) {
		const struct program_result *r = &report->program.form[i];

		ret = ret && r->successes == r->runs && !r->bare_failures;
	}
	return ret;
}

static int measure(struct world *world, struct report *report)
{
	int err = world_open(world);

	report->world = world;
	pin();
	if (!err)
		err = program_measure(world, &report->program);
	if (!err)
		err = path_measure(world, &report->path);
	return err;
}

int main(int argc, char **argv)
{
	static struct report report;
	static struct world world = {.turnpike_fd = -1};
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE.json\n", argv[0]);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "bench: needs root, for network namespaces and XDP\n");
		return 1;
	}
	err = measure(&world, &report);
	if (!err) {
		report_print(&report);
		err = report_write(&report, argv[1]);
		if (err)
			fprintf(stderr, "bench: cannot write %s: %s\n", argv[1], strerror(-err));
		else
			printf("\nas JSON, with every sample: %s\n", argv[1]);
	}
	if (!err && !is_proved(&report)) {
		fprintf(stderr, "bench: some runs took another path than was meant: see VOID\n");
		err = -1;
	}
	world_close(&world);
	return err ? 1 : 0;
}
