/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Order statistics. See samples.h.
 */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void samples_add(struct samples *samples, double value)
{
	ASSERT(samples->count < SAMPLES_MAX);
	samples->values[samples->count++] = value;
}

/* Between two values, where the place falls between them. */
static double quantile(const double *sorted, size_t count, double part)
{
	double place = part * (double)(count - 1);
	size_t below = (size_t)place, above = MIN(below + 1, count - 1);

	return sorted[below] + (sorted[above] - sorted[below]) * (place - (double)below);
}

struct summary samples_summary(const struct samples *samples)
{
	double sorted[SAMPLES_MAX];
	size_t n = samples->count;

	if (!n)
		return (struct summary){0};
	memcpy(sorted, samples->values, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return (struct summary){sorted[0], quantile(sorted, n, 0.25), quantile(sorted, n, 0.5),
				quantile(sorted, n, 0.75), sorted[n - 1]};
}

double summary_spread(const struct summary *summary)
{
	return (summary->upper - summary->lower) / 2;
}
