/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no single value shows: keys that must be there, and values that contradict each other.
 * Whether the host has the addresses and interfaces is the daemon's to find out.
 */
#include "config/schema.h"

/* The place of a key, or of its section, or of the top: whatever the file has. */
static struct config_mark nearest_mark(const struct config_reader *reader, const char *path,
				       const char *section)
{
	struct config_mark mark = config_seen(reader, path);

	if (!mark.line)
		mark = config_seen(reader, section);
	return mark.line ? mark : reader->top;
}

static void check_required(struct config_reader *reader)
{
	const struct config *config = reader->config;
	/* A realm or users that were there and wrong have been reported. */
	bool clean = reader->error_count == 0;

	if (!config->realm && !config_seen(reader, "realm").line)
		config_report(reader, reader->top,
			      "realm is missing; needed is a name such as realm: example.org");
	if (config->auth.user_count == 0 && (clean || !config_seen(reader, "auth.users").line))
		config_report(reader, nearest_mark(reader, "auth.users", "auth"),
			      "auth.users is missing or empty; needed is at least one user, such "
			      "as auth: {users: {alice: PASSWORD}}");
}

/* True if the configuration makes a a relay address, or leaves that to the daemon. */
static bool may_be_relay_address(const struct config *config, const struct addr *a)
{
	for (size_t i = 0; i < config->relay.address_count; i++)
		if (addr_same_ip(&config->relay.addresses[i].addr, a))
			return true;
	if (config->relay.address_count)
		return false;
	for (size_t i = 0; i < config->listen_count; i++)
		if (addr_same_ip(&config->listen[i].addr, a))
			return true;
	return config->listen_count == 0;
}

static void check_external(struct config_reader *reader)
{
	const struct config *config = reader->config;

	for (size_t i = 0; i < config->relay.external_count; i++) {
		const struct config_external *pair = &config->relay.external[i];

		if (!may_be_relay_address(config, &pair->internal))
			config_report(reader, pair->mark,
				      "relay.external: %s is no relay address; allowed: those of "
				      "%s",
				      ADDR_IP_TEXT(&pair->internal),
				      config->relay.address_count ? "relay.addresses" : "listen");
	}
}

void config_check(struct config_reader *reader)
{
	check_required(reader);
	/* Addresses that were refused would make false reports. */
	if (reader->error_count == 0)
		check_external(reader);
}
