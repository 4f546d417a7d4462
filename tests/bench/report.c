/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables for people. See report.h.
 */
#include "report.h"

#include <bpf/libbpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "machine.h"

#define NAME_WIDTH 42

static void print_machine(void)
{
	json_t *machine = machine_describe();

	printf("machine   %s, %" JSON_INTEGER_FORMAT " CPUs, measured on CPU %" JSON_INTEGER_FORMAT
	       "\n",
	       json_string_value(json_object_get(machine, "cpu")),
	       json_integer_value(json_object_get(machine, "cpus")),
	       json_integer_value(json_object_get(machine, "measured_on_cpu")));
	printf("kernel    Linux %s\n", json_string_value(json_object_get(machine, "kernel")));
	printf("compiled  %s; libbpf %s\n",
	       json_string_value(json_object_get(machine, "bpf_compiler")),
	       json_string_value(json_object_get(machine, "libbpf")));
	json_decref(machine);
}

static void print_size(const char *name, int fd)
{
	struct program_size size = {0};
	char verified[16] = "-";

	if (program_read_size(fd, &size))
		return;
	if (size.verified_insns)
		snprintf(verified, sizeof(verified), "%u", size.verified_insns);
	printf("%-*s %10s %14u %12u\n", NAME_WIDTH, name, verified, size.insns, size.jited_bytes);
}

static void print_sizes(const struct world *world)
{
	printf("\n%-*s %10s %14s %12s\n", NAME_WIDTH, "program", "verified", "instructions",
	       "machine code");
	print_size("turnpike", world->turnpike_fd);
	print_size("bare", bpf_program__fd(world->bench->progs.bare));
	print_size("wire", bpf_program__fd(world->bench->progs.wire));
	print_size("empty", bpf_program__fd(world->bench->progs.bench_empty_tx));
}

/* A median and half the distance between the quartiles. */
static const char *with_spread(const struct samples *samples, char ret[static 32])
{
	struct summary s = samples_summary(samples);

	snprintf(ret, 32, "%.1f ±%.1f", s.median, summary_spread(&s));
	return ret;
}

/* "±" is two bytes and one column. */
static void print_row(const char *name, const char *families, const struct samples *ns,
		      const struct samples *of_bare, double empty_ns, const char *proof)
{
	double median = samples_summary(ns).median;
	char ns_text[32], bare_text[32] = "", empty_text[16];

	if (of_bare) {
		struct summary s = samples_summary(of_bare);

		snprintf(bare_text, sizeof(bare_text), "%.2f ±%.2f", s.median, summary_spread(&s));
	}
	snprintf(empty_text, sizeof(empty_text), "%.1f", (median + empty_ns) / empty_ns);
	printf("%-*s %-8s %14s %9s %*s  %s\n", NAME_WIDTH, name, families, with_spread(ns, ns_text),
	       empty_text, of_bare ? 13 : 12, bare_text, proof);
}

static void print_reference(const struct program_results *results, size_t reference,
			    double empty_ns)
{
	/* The form that is carried as `bare` carries it is the first that is compared with it. */
	for (size_t i = 0; i < forms_count; i++) {
		const struct program_result *r = &results->form[i];
		char name[64], proof[64];

		if (r->unsupported || r->form->bare != reference)
			continue;
		snprintf(name, sizeof(name), "bare, %s", forms_references[reference].name);
		snprintf(proof, sizeof(proof), "%" PRIu64 " of %" PRIu64,
			 r->bare_runs - r->bare_failures, r->bare_runs);
		print_row(name, forms_references[reference].families, &r->bare_ns, NULL, empty_ns,
			  proof);
		return;
	}
}

static void print_form(const struct program_result *r, double empty_ns)
{
	char proof[80];

	if (r->unsupported) {
		printf("%-*s %-8s %13s\n", NAME_WIDTH, r->form->name, r->form->families,
		       "not carried");
		return;
	}
	snprintf(proof, sizeof(proof), "%" PRIu64 " of %" PRIu64 "%s", r->successes, r->runs,
		 r->successes == r->runs ? "" : "  VOID");
	print_row(r->form->name, r->form->families, &r->ns,
		  forms_is_carried(r->form) ? &r->of_bare : NULL, empty_ns, proof);
}

static void print_program(const struct program_results *results)
{
	double empty_ns = samples_summary(&results->empty_ns).median;
	char text[32];

	printf("\nInside the program: nanoseconds per packet beyond an empty program's, %d bytes "
	       "of "
	       "data,\none flow, one core. Medians of %d rounds of %d runs, ± half the distance "
	       "of the quartiles.\n\n",
	       FORMS_DATA_LEN, PROGRAM_ROUNDS, PROGRAM_RUNS);
	printf("%-*s %-8s %13s %9s %12s  %s\n", NAME_WIDTH, "form", "families", "ns", "of empty",
	       "of bare", "runs that took that path");
	printf("%-*s %-8s %14s %9s\n", NAME_WIDTH, "an empty program itself", "",
	       with_spread(&results->empty_ns, text), "1.0");
	print_row("wire: swaps MAC addresses", "", &results->wire_ns, NULL, empty_ns, "");
	for (size_t i = 0; i < FORMS_REFERENCE_MAX; i++)
		print_reference(results, i, empty_ns);
	for (size_t i = 0; i < forms_count; i++)
		print_form(&results->form[i], empty_ns);
}

static void print_program_notes(const struct program_results *results)
{
	char harness[32], plain[32], harnessed[32];

	printf("\n"
	       "  ns        a run's time less that of an empty program behind the same harness, in "
	       "turns\n"
	       "  of empty  (ns + an empty program's) / an empty program's\n"
	       "  of bare   ns / ns of `bare` with the same direction and family in, of each "
	       "round:\n"
	       "            `bare` looks up a flow, rewrites addresses, moves the 4-byte header "
	       "and\n"
	       "            forwards; it checks, counts and limits nothing. Where a machine's "
	       "speed\n"
	       "            changes from second to second, ns spread and this does not\n"
	       "  runs      by the program's own counter of the verdict; `bare`: runs that did not "
	       "fail\n"
	       "\n"
	       "A test run hands on the frame as the run before left it, so a program that "
	       "rewrites\n"
	       "it would succeed once and then time its failure path. Here each run begins with a\n"
	       "program that puts the frame back and enters the one under test, as it was loaded, "
	       "by\n"
	       "a tail call. That costs %s ns and is subtracted: an empty program behind it\n"
	       "takes turns with the one under test every %d runs, once with the moves of the "
	       "frame's\n"
	       "ends made and undone and once with none, which is the one move that a run needs. "
	       "The\n"
	       "median turn of a round counts. A miss needs no putting back: measured plainly it "
	       "costs\n"
	       "%s ns, and in this way %s ns. Frames that could not be put back: %" PRIu64 ".\n",
	       with_spread(&results->harness_ns, harness), BENCH_BLOCK,
	       with_spread(&results->plain_ns, plain),
	       with_spread(&results->harnessed_ns, harnessed), results->put_back_failures);
}

static void print_way(const struct path_results *results, enum path_way way)
{
	printf("\n%s\n", path_way_name(way));
	for (int i = 0; i < WORLD_RELAY_MAX; i++) {
		const struct path_result *r = &results->result[way][i];
		struct summary rate = samples_summary(&r->packets_per_second);
		struct summary bare = samples_summary(&r->of_bare);
		struct summary wire = samples_summary(&r->of_wire);
		char counted[48] = "";

		if (i == WORLD_TURNPIKE)
			snprintf(counted, sizeof(counted), ", %" PRIu64 " counted by it",
				 r->counted);
		printf("  %-10s %6.3f ±%.3f  %9.0f  %5.2f ±%.2f  %5.2f ±%.2f  %" PRIu64
		       " of %" PRIu64 "%s\n",
		       world_relay_name((enum world_relay)i), rate.median / 1e6,
		       summary_spread(&rate) / 1e6, 1e9 / rate.median, bare.median,
		       summary_spread(&bare), wire.median, summary_spread(&wire), r->arrived,
		       r->sent, counted);
	}
}

static void print_path(const struct path_results *results)
{
	printf("\nFrom end to end: live frames from a generator over a veth pair into the program, "
	       "over another\ninto a program that counts and drops, all on one core. Medians of %d "
	       "alternating rounds of\n%d packets; the ratios are of packets per second, in the "
	       "same round.\n",
	       PATH_ROUNDS, PATH_PACKETS);
	if (results->skipped) {
		printf("SKIP end to end: the kernel has no live frames, which came with Linux "
		       "5.18: "
		       "%s\n",
		       strerror(-results->skipped));
		return;
	}
	printf("\n  %-10s %13s  %9s  %11s  %11s  %s\n", "", "million/s", "ns", "of bare", "of wire",
	       "arrived");
	for (int way = 0; way < PATH_WAY_MAX; way++)
		print_way(results, (enum path_way)way);
}

void report_print(const struct report *report)
{
	print_machine();
	print_sizes(report->world);
	print_program(&report->program);
	print_program_notes(&report->program);
	print_path(&report->path);
}
