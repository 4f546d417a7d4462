/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpikectl allocations: who, where, permissions, channels, and how much went which path.
 */
#include <inttypes.h>

#include "turnpikectl/render.h"
#include "turnpikectl/table.h"

/* Worker and number together name an allocation. */
static void add_id(struct table *table, const json_t *allocation)
{
	table_add(table, "%" PRIu64 "/%" PRIu64, number_of(allocation, "worker"),
		  number_of(allocation, "id"));
}

/* "12 / 3.4 KiB" of one direction. */
static void add_traffic(struct table *table, const json_t *from, const char *direction)
{
	const json_t *traffic = json_object_get(from, direction);

	table_add(table, "%" PRIu64 " / %s", number_of(traffic, "packets"),
		  BYTES_TEXT(number_of(traffic, "bytes")));
}

static uint64_t packets(const json_t *allocation, const char *path)
{
	const json_t *traffic = json_object_get(allocation, path);

	return number_of(json_object_get(traffic, "to_peer"), "packets") +
	       number_of(json_object_get(traffic, "to_client"), "packets");
}

static void add_kernel_share(struct table *table, const json_t *allocation)
{
	uint64_t kernel = packets(allocation, "kernel"), daemon = packets(allocation, "daemon");

	if (kernel + daemon)
		table_add(table, "%.1f %%", 100.0 * (double)kernel / (double)(kernel + daemon));
	else
		table_add(table, "-");
}

static void add_relayed(struct table *table, const json_t *addresses)
{
	const char *first = json_string_value(json_array_get(addresses, 0));
	const char *second = json_string_value(json_array_get(addresses, 1));

	table_add(table, "%s%s%s", first ? first : "-", second ? ", " : "", second ? second : "");
}

static void add_allocation(struct table *table, const json_t *a)
{
	add_id(table, a);
	table_add(table, "%s", text_of(a, "user"));
	table_add(table, "%s %s", text_of(a, "transport"), text_of(a, "client"));
	add_relayed(table, json_object_get(a, "relayed"));
	table_add(table, "%s", SECONDS_TEXT(number_of(a, "age_s")));
	table_add(table, "%s", SECONDS_TEXT(number_of(a, "expires_s")));
	add_traffic(table, json_object_get(a, "kernel"), "to_peer");
	add_traffic(table, json_object_get(a, "kernel"), "to_client");
	add_traffic(table, json_object_get(a, "daemon"), "to_peer");
	add_traffic(table, json_object_get(a, "daemon"), "to_client");
	add_kernel_share(table, a);
}

static void add_channels(struct table *table, const json_t *allocation)
{
	json_t *channel;
	size_t i;

	json_array_foreach(json_object_get(allocation, "channels"), i, channel)
	{
		add_id(table, allocation);
		table_add(table, "%s", text_of(channel, "number"));
		table_add(table, "%s", text_of(channel, "peer"));
		table_add(table, "%s", SECONDS_TEXT(number_of(channel, "expires_s")));
		table_add(table, "%s", text_of(channel, "path"));
		add_traffic(table, channel, "to_peer");
		add_traffic(table, channel, "to_client");
	}
}

static void add_permissions(struct table *table, const json_t *allocation)
{
	json_t *permission;
	size_t i;

	json_array_foreach(json_object_get(allocation, "permissions"), i, permission)
	{
		add_id(table, allocation);
		table_add(table, "%s", text_of(permission, "peer"));
		table_add(table, "%s", SECONDS_TEXT(number_of(permission, "expires_s")));
	}
}

static void print_if_any(const struct table *table, FILE *out)
{
	if (table->count > table->columns)
		fputc('\n', out);
	table_print(table, out);
}

void render_allocations(const json_t *result, const struct render_options *options, FILE *out)
{
	const json_t *list = json_object_get(result, "allocations");
	struct table allocations _cleanup_table_ = {0};
	struct table channels _cleanup_table_ = {0};
	struct table permissions _cleanup_table_ = {0};
	json_t *a;
	size_t i;

	(void)options;
	table_begin(&allocations, "ID|USER|CLIENT|RELAYED|>AGE|>EXPIRES|>KERNEL TO PEER|>TO CLIENT|"
				  ">DAEMON TO PEER|>TO CLIENT|>BY KERNEL");
	table_begin(&channels, "ID|CHANNEL|PEER|>EXPIRES|PATH|>TO PEER|>TO CLIENT");
	table_begin(&permissions, "ID|PERMISSION|>EXPIRES");
	json_array_foreach(list, i, a)
	{
		add_allocation(&allocations, a);
		add_channels(&channels, a);
		add_permissions(&permissions, a);
	}
	fprintf(out, "%zu allocation%s, traffic as packets / bytes\n", i, i == 1 ? "" : "s");
	print_if_any(&allocations, out);
	print_if_any(&channels, out);
	print_if_any(&permissions, out);
}
