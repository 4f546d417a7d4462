/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was measured, as tables for people and as JSON. Measures nothing.
 */
#ifndef TURNPIKE_TESTS_REPORT_H
#define TURNPIKE_TESTS_REPORT_H

#include "path.h"
#include "program.h"

struct report {
	const struct world *world;
	struct program_results program;
	struct path_results path;
};

void report_print(const struct report *report);
/* Makes the file's folder if it is not there. 0 or -errno. */
int report_write(const struct report *report, const char *path);

#endif
