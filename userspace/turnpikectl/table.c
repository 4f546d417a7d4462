/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Aligned columns of text, and numbers as people like them.
 */
#include "turnpikectl/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

/* Columns on a terminal: characters, not bytes. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Takes cell. */
static void append(struct table *table, char *cell)
{
	if (table->count == table->size) {
		table->size = table->size ? 2 * table->size : 64;
		table->cells = reallocarray(table->cells, table->size, sizeof(*table->cells));
	}
	ASSERT(cell && table->cells);
	table->cells[table->count++] = cell;
}

void table_begin(struct table *ret, const char *headers)
{
	*ret = (struct table){0};
	while (*headers) {
		bool right = *headers == '>';
		size_t len = strcspn(headers + right, "|");

		ASSERT(ret->columns < TABLE_COLUMNS_MAX);
		ret->right |= (uint32_t)right << ret->columns++;
		append(ret, strndup(headers + right, len));
		headers += right + len;
		headers += *headers == '|';
	}
}

void table_add(struct table *table, const char *format, ...)
{
	char *cell = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&cell, format, args) < 0)
		cell = NULL;
	va_end(args);
	append(table, cell);
}

/* The last column is not padded: no line ends in spaces. */
static void print_cell(const struct table *table, size_t i, const size_t widths[], FILE *out)
{
	size_t column = i % table->columns;
	const char *text = table->cells[i];
	int pad = (int)(widths[column] - width_of(text));

	if (table->right & 1u << column)
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, column + 1 < table->columns ? pad : 0, "");
	fputs(column + 1 < table->columns ? "  " : "\n", out);
}

void table_print(const struct table *table, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};

	ASSERT(table->count % table->columns == 0);
	if (table->count == table->columns)
		return;
	for (size_t i = 0; i < table->count; i++) {
		size_t *width = &widths[i % table->columns];

		*width = MAX(*width, width_of(table->cells[i]));
	}
	for (size_t i = 0; i < table->count; i++)
		print_cell(table, i, widths, out);
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){0};
}

const char *human_bytes(uint64_t bytes, char ret[static HUMAN_MAX])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(ret, HUMAN_MAX, "%" PRIu64 " B", bytes);
		return ret;
	}
	/* 1023.95 and more would be printed as 1024.0. */
	for (; value >= 1023.95 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	snprintf(ret, HUMAN_MAX, "%.1f %s", value, units[unit]);
	return ret;
}

const char *human_seconds(uint64_t seconds, char ret[static HUMAN_MAX])
{
	uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (days)
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "d %02" PRIu64 "h", days, hours % 24);
	else if (hours)
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "h %02" PRIu64 "m", hours, minutes % 60);
	else if (minutes)
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "m %02" PRIu64 "s", minutes, seconds % 60);
	else
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "s", seconds);
	return ret;
}
