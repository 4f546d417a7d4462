/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema: every key there is, once, with its type, default and meaning. The reader, the
 * checks and the printed documentation all come from this table.
 */
#include "config/schema.h"

#include <string.h>

static const char *const kernel_modes[] = {
	[CONFIG_KERNEL_OFF] = "off",	   [CONFIG_KERNEL_GENERIC] = "generic",
	[CONFIG_KERNEL_NATIVE] = "native", [CONFIG_KERNEL_AUTO] = "auto",
	[CONFIG_KERNEL_AUTO + 1] = NULL,
};

static const char *const log_levels[] = {
#define X(constant, name, priority) name,
	LOG_LEVELS(X)
#undef X
		NULL,
};

static const char *const log_formats[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	[LOG_FORMAT_MAX] = NULL,
};

#define SECTION(key_path, what)                                                \
	{                                                                      \
		.path = (key_path), .shape = CONFIG_SECTION, .meaning = (what) \
	}
#define NUMBER(key_path, member, from, to, value, what)                                \
	{                                                                              \
		.path = (key_path), .shape = CONFIG_VALUE, .take = config_take_number, \
		.offset = offsetof(struct config, member), .min = (from), .max = (to), \
		.type = #from " to " #to, .initial = (value), .meaning = (what)        \
	}
#define NAME(key_path, member, list, text, value, what)                                     \
	{                                                                                   \
		.path = (key_path), .shape = CONFIG_VALUE, .take = config_take_name,        \
		.offset = offsetof(struct config, member), .names = (list), .type = (text), \
		.initial = (value), .meaning = (what)                                       \
	}
#define FILE_PATH(key_path, member, value, what)                                     \
	{                                                                            \
		.path = (key_path), .shape = CONFIG_VALUE, .take = config_take_path, \
		.offset = offsetof(struct config, member), .size = CONFIG_PATH_MAX,  \
		.type = "absolute path", .initial = (value), .meaning = (what)       \
	}
#define MANY(key_path, form, function, text, value, what)                                \
	{                                                                                \
		.path = (key_path), .shape = (form), .take = (function), .type = (text), \
		.initial = (value), .meaning = (what)                                    \
	}

const struct config_key config_schema[] = {
	MANY("realm", CONFIG_VALUE, config_take_realm, "text", "required",
	     "the realm of the long-term credentials"),
	MANY("listen", CONFIG_PAIR_LIST, config_take_listener, "list of udp: ADDRESS:PORT",
	     "port 3478 on every global address of the host", "where clients reach the relay"),
	SECTION("relay", "where allocations get their addresses and ports"),
	MANY("relay.addresses", CONFIG_LIST, config_take_address, "list of addresses",
	     "the addresses of listen", "addresses of this host that allocations are made on"),
	MANY("relay.external", CONFIG_PAIRS, config_take_external, "ADDRESS: ADDRESS, ...", "none",
	     "1:1 NAT: relay address of this host to what peers see instead"),
	MANY("relay.ports", CONFIG_VALUE, config_take_ports, "FIRST-LAST", "49152-65535",
	     "the ports of allocations"),
	SECTION("auth", "who may use the relay"),
	MANY("auth.users", CONFIG_PAIRS, config_take_user, "NAME: PASSWORD, ...", "required",
	     "static long-term credentials"),
	NUMBER("auth.nonce_lifetime", auth.nonce_lifetime_s, 60, 86400, "3600",
	       "seconds after which a client is given a new nonce"),
	SECTION("peers", "whom clients may send to"),
	MANY("peers.allow", CONFIG_LIST, config_take_allow, "list of prefixes", "none",
	     "special-purpose addresses that may be peers all the same"),
	MANY("peers.deny", CONFIG_LIST, config_take_deny, "list of prefixes", "none",
	     "addresses that may not be peers"),
	SECTION("limits", "how much there may be of what clients create"),
	NUMBER("limits.allocations", limits.allocations, 1, 1000000, "100000",
	       "allocations at once"),
	NUMBER("limits.allocations_per_user", limits.allocations_per_user, 0, 1000000, "100",
	       "allocations of one user at once; 0 is unlimited"),
	NUMBER("limits.permissions_per_allocation", limits.permissions_per_allocation, 1, 1024,
	       "64", "peer addresses that one allocation may permit"),
	NUMBER("limits.channels_per_allocation", limits.channels_per_allocation, 1, 1024, "64",
	       "channels that one allocation may bind"),
	{
		.path = "limits.bandwidth_per_allocation",
		.shape = CONFIG_VALUE,
		.take = config_take_rate,
		.offset = offsetof(struct config, limits.bandwidth_per_allocation),
		.type = "bits per second, as 500K, 20M, 1G",
		.initial = "0",
		.meaning = "application data of one allocation, each way; 0 is unlimited",
	},
	SECTION("kernel", "the kernel path"),
	NAME("kernel.mode", kernel.mode, kernel_modes, "auto|native|generic|off", "auto",
	     "how to attach to interfaces; auto tries native, then generic"),
	MANY("kernel.interfaces", CONFIG_LIST, config_take_interface, "list of names",
	     "those of the addresses and the default route", "interfaces to attach to"),
	FILE_PATH("kernel.pin_path", kernel.pin_path, "/sys/fs/bpf/turnpike",
		  "where maps and links are pinned, in a bpffs"),
	SECTION("control", "the control socket, for turnpikectl"),
	FILE_PATH("control.socket", control.socket, "/run/turnpike/control.sock",
		  "path of the Unix socket"),
	SECTION("log", "what is written to standard error"),
	NAME("log.level", log.level, log_levels, "error|warning|notice|info|debug", "info",
	     "the least important lines still written"),
	NAME("log.format", log.format, log_formats, "text|json", "text", "how lines are written"),
	NUMBER("workers", workers, 0, 64, "0", "threads; 0 is one per CPU"),
};

const size_t config_schema_count = ARRAY_SIZE(config_schema);
_Static_assert(ARRAY_SIZE(config_schema) <= CONFIG_KEYS_MAX, "marks of the reader");
_Static_assert(CONFIG_WORKERS_MAX == 64, "the range that the table prints");

const struct config_key *config_schema_find(const char *path)
{
	for (size_t i = 0; i < config_schema_count; i++)
		if (strcmp(config_schema[i].path, path) == 0)
			return &config_schema[i];
	return NULL;
}

struct config_mark config_seen(const struct config_reader *reader, const char *path)
{
	const struct config_key *key = config_schema_find(path);

	ASSERT(key);
	return reader->seen[key - config_schema];
}

void config_print_schema(FILE *out)
{
	for (size_t i = 0; i < config_schema_count; i++) {
		const struct config_key *key = &config_schema[i];

		if (key->shape != CONFIG_SECTION)
			fprintf(out, "%-33s %-31s %s (default: %s)\n", key->path, key->type,
				key->meaning, key->initial);
	}
}
