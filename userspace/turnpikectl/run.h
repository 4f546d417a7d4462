/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpikectl without the process around it.
 */
#ifndef TURNPIKE_TURNPIKECTL_RUN_H
#define TURNPIKE_TURNPIKECTL_RUN_H

#include <stdio.h>

/* Exit statuses. */
enum {
	RUN_OK = 0,
	RUN_NO_ANSWER = 1, /* the daemon said no, or there is none */
	RUN_USAGE = 2,
};

int run(int argc, char **argv, FILE *out, FILE *errors);

#endif
