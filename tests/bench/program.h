/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one packet costs inside the program: nanoseconds beyond those of an empty program, by
 * BPF_PROG_TEST_RUN. See program.c for the method.
 */
#ifndef TURNPIKE_TESTS_PROGRAM_H
#define TURNPIKE_TESTS_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "forms.h"
#include "samples.h"
#include "world.h"

#define PROGRAM_FORMS_MAX 40

/* One form, through the program under test. */
struct program_result {
	const struct form *form;
	struct samples ns;	/* beyond an empty program */
	struct samples bare_ns; /* the same of the reference, measured next to it */
	struct samples of_bare; /* this one's ns to the reference's, of each round */
	uint64_t runs;
	uint64_t successes; /* of those runs, by the program's own counter of this verdict */
	bool unsupported;   /* the program passed it up: not measured */
	uint64_t bare_runs, bare_failures;
};

struct program_results {
	struct samples empty_ns;     /* of an empty program, run plainly: what a test run costs */
	struct samples harness_ns;   /* of an empty program behind the harness */
	struct samples wire_ns;	     /* beyond an empty program */
	struct samples plain_ns;     /* a miss, measured without the harness */
	struct samples harnessed_ns; /* the same miss with it */
	struct program_result form[PROGRAM_FORMS_MAX];
	uint64_t put_back_failures;
};

#define PROGRAM_ROUNDS 11
#define PROGRAM_BLOCKS 200 /* of BENCH_BLOCK runs, of each slot in each round */
#define PROGRAM_RUNS   (PROGRAM_BLOCKS * BENCH_BLOCK)

/* 0, or -errno after a message. */
int program_measure(const struct world *world, struct program_results *ret);

/* What the kernel says of a loaded program. 0 or -errno. */
struct program_size {
	uint32_t verified_insns; /* that the verifier walked; 0 before Linux 5.16 */
	uint32_t insns;		 /* in the program */
	uint32_t jited_bytes;
};
int program_read_size(int fd, struct program_size *ret);

#endif
