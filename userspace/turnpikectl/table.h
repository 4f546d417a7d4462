/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Aligned columns of text, and numbers as people like them. Knows nothing of what is printed.
 */
#ifndef TURNPIKE_TURNPIKECTL_TABLE_H
#define TURNPIKE_TURNPIKECTL_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/macros.h"

#define TABLE_COLUMNS_MAX 12

struct table {
	size_t columns;
	uint32_t right; /* bit per column: align to the right */
	char **cells;	/* the headers first, row by row */
	size_t count, size;
};

/* headers are separated by |; one that begins with > is aligned to the right, as its cells are. */
void table_begin(struct table *ret, const char *headers);
/* Adds the next cell, from left to right. Ends the program if memory runs out. */
void table_add(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* Prints the rows, two spaces between columns, and nothing if there is no row. */
void table_print(const struct table *table, FILE *out);
void table_free(struct table *table);

#define _cleanup_table_ CLEANUP(table_free)

#define HUMAN_MAX 32
/* "999 B", "1.0 KiB", "12.3 GiB". Returns ret. */
const char *human_bytes(uint64_t bytes, char ret[static HUMAN_MAX]);
/* "59s", "4m 05s", "3h 04m", "2d 03h". Returns ret. */
const char *human_seconds(uint64_t seconds, char ret[static HUMAN_MAX]);

/* For one printf argument. */
#define BYTES_TEXT(n)	human_bytes((n), (char[HUMAN_MAX]){0})
#define SECONDS_TEXT(n) human_seconds((n), (char[HUMAN_MAX]){0})

#endif
