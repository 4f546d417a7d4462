/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few measurements of one thing, and what can be said of them without assuming how they are
 * distributed: median, quartiles, extremes.
 */
#ifndef TURNPIKE_TESTS_SAMPLES_H
#define TURNPIKE_TESTS_SAMPLES_H

#include <stddef.h>

#define SAMPLES_MAX 512

struct samples {
	size_t count;
	double values[SAMPLES_MAX];
};

struct summary {
	double min, lower, median, upper, max;
};

void samples_add(struct samples *samples, double value);
/* Zeros if there are none. */
struct summary samples_summary(const struct samples *samples);
/* Half of the distance between the quartiles. */
double summary_spread(const struct summary *summary);

#endif
