/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpikectl status: one page about the relay.
 */
#include <inttypes.h>
#include <string.h>

#include "turnpikectl/render.h"
#include "turnpikectl/table.h"

static void print_listeners(const json_t *listeners, FILE *out)
{
	json_t *listener;
	size_t i;

	json_array_foreach(listeners, i, listener)
		fprintf(out, "%-13s%s %s\n", i ? "" : "listening", text_of(listener, "transport"),
			text_of(listener, "address"));
}

static void print_relay(const json_t *relay, FILE *out)
{
	json_t *address;
	size_t i;

	json_array_foreach(json_object_get(relay, "addresses"), i, address)
	{
		const char *internal = text_of(address, "internal");
		const char *external = text_of(address, "external");
		bool nat = strcmp(external, "-") != 0 && strcmp(internal, external) != 0;

		fprintf(out, "%-13s%s%s%s%s\n", i ? "" : "relaying on", internal,
			nat ? " (seen as " : "", nat ? external : "", nat ? ")" : "");
	}
	fprintf(out, "%-13s%" PRIu64 "-%" PRIu64 "\n", "ports", number_of(relay, "first_port"),
		number_of(relay, "last_port"));
}

static void print_kernel(const json_t *kernel, FILE *out)
{
	const json_t *flows = json_object_get(kernel, "flows");
	const char *reason = text_of(kernel, "reason");
	bool has_reason = strcmp(reason, "-") != 0;
	struct table interfaces _cleanup_table_ = {0};
	json_t *interface;
	size_t i;

	fprintf(out, "%-13s%s%s%s\n", "kernel path", text_of(kernel, "mode"),
		has_reason ? ": " : "", has_reason ? reason : "");
	if (number_of(flows, "size"))
		fprintf(out, "%-13s%" PRIu64 " of %" PRIu64 ", pinned under %s\n", "flows",
			number_of(flows, "used"), number_of(flows, "size"),
			text_of(kernel, "pin_path"));
	table_begin(&interfaces, "INTERFACE|>INDEX|MODE|WHY");
	json_array_foreach(json_object_get(kernel, "interfaces"), i, interface)
	{
		table_add(&interfaces, "%s", text_of(interface, "name"));
		table_add(&interfaces, "%" PRIu64, number_of(interface, "ifindex"));
		table_add(&interfaces, "%s", text_of(interface, "mode"));
		table_add(&interfaces, "%s", text_of(interface, "reason"));
	}
	if (i > 0)
		fputc('\n', out);
	table_print(&interfaces, out);
}

void render_status(const json_t *result, const struct render_options *options, FILE *out)
{
	const json_t *allocations = json_object_get(result, "allocations");

	(void)options;
	fprintf(out, "%-13s%s, process %" PRIu64 ", up %s, workers %" PRIu64 "\n", "turnpiked",
		text_of(result, "version"), number_of(result, "pid"),
		SECONDS_TEXT(number_of(result, "uptime_s")), number_of(result, "workers"));
	fprintf(out, "%-13s%s\n", "realm", text_of(result, "realm"));
	print_listeners(json_object_get(result, "listeners"), out);
	print_relay(json_object_get(result, "relay"), out);
	fprintf(out, "%-13s%" PRIu64 " of %" PRIu64 "\n", "allocations",
		number_of(allocations, "current"), number_of(allocations, "limit"));
	print_kernel(json_object_get(result, "kernel"), out);
}
