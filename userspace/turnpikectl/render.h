/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a command's result, in the shape that turnpike/control.h gives, to text for people. A
 * member that is missing is shown as "-" or 0: an older or newer daemon is still readable.
 */
#ifndef TURNPIKE_TURNPIKECTL_RENDER_H
#define TURNPIKE_TURNPIKECTL_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct render_options {
	bool all; /* counters that are zero, too */
};

/* Prints the result of one command for people. */
typedef void (*renderer)(const json_t *result, const struct render_options *options, FILE *out);

void render_status(const json_t *result, const struct render_options *options, FILE *out);
void render_stats(const json_t *result, const struct render_options *options, FILE *out);
void render_allocations(const json_t *result, const struct render_options *options, FILE *out);

/* A text member, or "-" if it is not there or empty. */
static inline const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}

/* A number that is not negative, or 0. Counters are integers; times have fractions, which are cut.
 */
static inline uint64_t number_of(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	if (json_is_real(member))
		return json_real_value(member) > 0 ? (uint64_t)json_real_value(member) : 0;
	return json_integer_value(member) > 0 ? (uint64_t)json_integer_value(member) : 0;
}

#endif
