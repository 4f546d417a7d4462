/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpikectl stats: every counter of daemon and kernel by name.
 */
#include <inttypes.h>

#include "turnpikectl/render.h"
#include "turnpikectl/table.h"

static size_t print_kernel_counters(json_t *counters, bool all, FILE *out)
{
	struct table table _cleanup_table_ = {0};
	const char *name;
	json_t *counter;
	size_t hidden = 0;

	table_begin(&table, "KERNEL|KIND|>PACKETS|>BYTES|MEANING");
	json_object_foreach(counters, name, counter)
	{
		if (!all && number_of(counter, "packets") == 0) {
			hidden++;
			continue;
		}
		table_add(&table, "%s", name);
		table_add(&table, "%s", text_of(counter, "kind"));
		table_add(&table, "%" PRIu64, number_of(counter, "packets"));
		table_add(&table, "%s", BYTES_TEXT(number_of(counter, "bytes")));
		table_add(&table, "%s", text_of(counter, "help"));
	}
	table_print(&table, out);
	if (table.count > table.columns)
		fputc('\n', out);
	return hidden;
}

static size_t print_daemon_counters(json_t *counters, bool all, FILE *out)
{
	struct table table _cleanup_table_ = {0};
	const char *name;
	json_t *counter;
	size_t hidden = 0;

	table_begin(&table, "DAEMON|>VALUE|MEANING");
	json_object_foreach(counters, name, counter)
	{
		if (!all && number_of(counter, "value") == 0) {
			hidden++;
			continue;
		}
		table_add(&table, "%s", name);
		table_add(&table, "%" PRIu64, number_of(counter, "value"));
		table_add(&table, "%s", text_of(counter, "help"));
	}
	table_print(&table, out);
	if (table.count > table.columns)
		fputc('\n', out);
	return hidden;
}

void render_stats(const json_t *result, const struct render_options *options, FILE *out)
{
	size_t hidden = print_kernel_counters(json_object_get(result, "kernel"), options->all, out);

	hidden += print_daemon_counters(json_object_get(result, "daemon"), options->all, out);
	if (hidden)
		fprintf(out, "%zu counters are zero; --all shows them\n", hidden);
}
