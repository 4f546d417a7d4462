/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no single value shows: keys that must be there, and values that contradict each other.
 * Whether the host has the addresses and interfaces is the daemon's to find out.
 */
#include "config/schema.h"

/* Where the daemon listens if the file does not say. */
#define CONFIG_LISTEN_PORT 3478

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

/* True if the file makes a a relay address, other than by the pair itself. */
static bool is_another_relay_address(const struct config *config,
				     const struct config_external *pair, const struct addr *a)
{
	if (addr_same_ip(&pair->internal, a))
		return false;
	/* The left side of each pair is one, though the daemon may have to find the addresses. */
	for (size_t i = 0; i < config->relay.external_count; i++)
		if (addr_same_ip(&config->relay.external[i].internal, a))
			return true;
	if (config->relay.address_count == 0 && config->listen_count == 0)
		return false;
	return may_be_relay_address(config, a);
}

/* What peers send to an external address has to belong to one relay address. */
static void check_unambiguous(struct config_reader *reader, size_t index)
{
	const struct config *config = reader->config;
	const struct config_external *pair = &config->relay.external[index];

	if (is_another_relay_address(config, pair, &pair->external))
		config_report(reader, pair->external_mark,
			      "relay.external: %s is a relay address itself; allowed: addresses "
			      "that this host does not relay on",
			      ADDR_IP_TEXT(&pair->external));
	for (size_t i = 0; i < index; i++) {
		const struct config_external *other = &config->relay.external[i];

		if (!addr_same_ip(&other->external, &pair->external))
			continue;
		config_report(reader, pair->external_mark,
			      "relay.external: %s is the external address of %s already; allowed: "
			      "one relay address for each",
			      ADDR_IP_TEXT(&pair->external), ADDR_IP_TEXT(&other->internal));
		return;
	}
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
		check_unambiguous(reader, i);
	}
}

/* True if listeners have every port of relay.ports on this address. */
static bool has_no_port_left(const struct config *config, const struct addr *ip)
{
	unsigned int left = config->relay.port_last - config->relay.port_first + 1u;

	/* No listener is given twice. */
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct addr *a = &config->listen[i].addr;

		if (addr_same_ip(a, ip) && a->port >= config->relay.port_first &&
		    a->port <= config->relay.port_last)
			left--;
	}
	return left == 0;
}

static void report_no_port_left(struct config_reader *reader, const char *where)
{
	config_report(reader, nearest_mark(reader, "relay.ports", "relay"),
		      "relay.ports: listen has every port of %u-%u on %s; allowed: a range with "
		      "ports that it leaves",
		      reader->config->relay.port_first, reader->config->relay.port_last, where);
}

/*
 * A listener's port within the range is passed over when an allocation is made. A relay address
 * that has nothing else could never serve one.
 */
static void check_ports(struct config_reader *reader)
{
	const struct config *config = reader->config;

	for (size_t i = 0; i < config->relay.address_count; i++)
		if (has_no_port_left(config, &config->relay.addresses[i].addr))
			report_no_port_left(reader, ADDR_IP_TEXT(&config->relay.addresses[i].addr));
	if (config->relay.address_count)
		return;
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct addr *a = &config->listen[i].addr;
		bool first = true;

		for (size_t j = 0; j < i && first; j++)
			first = !addr_same_ip(&config->listen[j].addr, a);
		if (first && has_no_port_left(config, a))
			report_no_port_left(reader, ADDR_IP_TEXT(a));
	}
	if (config->listen_count == 0 && config->relay.port_first == CONFIG_LISTEN_PORT &&
	    config->relay.port_last == CONFIG_LISTEN_PORT)
		report_no_port_left(reader, "each address");
}

void config_check(struct config_reader *reader)
{
	check_required(reader);
	/* Addresses that were refused would make false reports. */
	if (reader->error_count > 0)
		return;
	check_external(reader);
	check_ports(reader);
}
