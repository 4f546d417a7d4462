/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handlers of keys with many values: listeners, addresses, users, prefixes, interfaces. Each
 * list has a limit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/schema.h"

static bool has_room(struct config_reader *reader, const struct config_key *key,
		     struct config_mark mark, size_t count, size_t max)
{
	/* Once is enough: the entries behind it say nothing new. */
	if (count == max)
		config_report(reader, mark, "%s: more than %zu entries; allowed: up to %zu",
			      key->path, max, max);
	return count < max;
}

/* Why a is no address that one of the host's or the NAT's interfaces has; NULL if it can be. */
static const char *unusable_reason(const struct addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (addr_is_any(a))
		return "a wildcard, which cannot be answered from; allowed: each address by itself";
	if (a->family == ADDR_IPV4)
		return a->ip[0] >= 224 ? "multicast or reserved; allowed: unicast addresses" : NULL;
	if (a->ip[0] == 0xff)
		return "multicast; allowed: unicast addresses";
	if (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80)
		return "link-local; allowed: addresses that are valid beyond one link";
	if (memcmp(a->ip, mapped, sizeof(mapped)) == 0)
		return "an IPv4 address in IPv6 form; allowed: the IPv4 address itself";
	return NULL;
}

/* Why peers cannot reach a, though a host can have it; NULL if nothing is known against it. */
static const char *unreachable_reason(const struct addr *a)
{
	static const uint8_t loopback[16] = {[15] = 1};

	if (a->family == ADDR_IPV4 && a->ip[0] == 0)
		return "in 0.0.0.0/8, which no host has";
	if (a->family == ADDR_IPV4 ? a->ip[0] == 127 : memcmp(a->ip, loopback, 16) == 0)
		return "loopback";
	return NULL;
}

static bool parse_ip(struct config_reader *reader, const struct config_key *key, const char *text,
		     struct config_mark mark, struct addr *ret)
{
	struct addr a;
	const char *reason;

	if (addr_parse_ip(text, &a) < 0) {
		config_report(reader, mark,
			      "%s: \"%.60s\" is not an IP address; allowed: 192.0.2.1, or "
			      "2001:db8::1, without a port",
			      key->path, text);
		return false;
	}
	reason = unusable_reason(&a);
	if (reason) {
		config_report(reader, mark, "%s: %s is %s", key->path, text, reason);
		return false;
	}
	*ret = a;
	return true;
}

void config_take_listener(struct config_reader *reader, const struct config_key *key,
			  const struct config_item *item)
{
	static const char *const later[] = {"tcp", "tls", "dtls"};
	struct config *config = reader->config;
	struct config_listener listener = {.transport = CONFIG_UDP, .mark = item->mark};
	const char *reason;

	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		if (strcmp(item->name, later[i]) != 0)
			continue;
		config_report(reader, item->name_mark,
			      "%s: %s is not supported by this version; allowed: udp", key->path,
			      item->name);
		return;
	}
	if (strcmp(item->name, "udp") != 0) {
		config_report(reader, item->name_mark,
			      "%s: there is no transport \"%.60s\"; allowed: udp", key->path,
			      item->name);
		return;
	}
	if (addr_parse(item->text, &listener.addr) < 0) {
		config_report(reader, item->mark,
			      "%s: \"%.60s\" is not an address with a port; allowed: "
			      "192.0.2.1:3478, or \"[2001:db8::1]:3478\" in quotes",
			      key->path, item->text);
		return;
	}
	reason = unusable_reason(&listener.addr);
	if (reason) {
		config_report(reader, item->mark, "%s: %s is %s", key->path,
			      ADDR_IP_TEXT(&listener.addr), reason);
		return;
	}
	for (size_t i = 0; i < config->listen_count; i++) {
		if (!addr_equal(&config->listen[i].addr, &listener.addr))
			continue;
		config_report(reader, item->mark, "%s: %s is given twice; allowed: once", key->path,
			      item->text);
		return;
	}
	if (has_room(reader, key, item->mark, config->listen_count, CONFIG_LISTEN_MAX))
		config->listen[config->listen_count++] = listener;
}

void config_take_address(struct config_reader *reader, const struct config_key *key,
			 const struct config_item *item)
{
	struct config *config = reader->config;
	struct config_address address = {.mark = item->mark};

	if (!parse_ip(reader, key, item->text, item->mark, &address.addr))
		return;
	for (size_t i = 0; i < config->relay.address_count; i++) {
		if (!addr_equal(&config->relay.addresses[i].addr, &address.addr))
			continue;
		config_report(reader, item->mark, "%s: %s is given twice; allowed: once", key->path,
			      item->text);
		return;
	}
	if (has_room(reader, key, item->mark, config->relay.address_count, CONFIG_RELAY_MAX))
		config->relay.addresses[config->relay.address_count++] = address;
}

void config_take_external(struct config_reader *reader, const struct config_key *key,
			  const struct config_item *item)
{
	struct config *config = reader->config;
	struct config_external pair = {.mark = item->name_mark, .external_mark = item->mark};

	/* Both sides are looked at, so that both are reported. */
	bool internal_ok = parse_ip(reader, key, item->name, item->name_mark, &pair.internal);
	bool external_ok = parse_ip(reader, key, item->text, item->mark, &pair.external);
	const char *reason = external_ok ? unreachable_reason(&pair.external) : NULL;

	if (reason)
		config_report(reader, item->mark,
			      "%s: %s is %s; allowed: addresses that peers can reach", key->path,
			      item->text, reason);
	if (!internal_ok || !external_ok || reason)
		return;
	if (pair.internal.family != pair.external.family) {
		config_report(reader, item->mark,
			      "%s: %s is of another family than %s; allowed: IPv4 to IPv4, IPv6 "
			      "to IPv6",
			      key->path, item->text, item->name);
		return;
	}
	for (size_t i = 0; i < config->relay.external_count; i++) {
		if (!addr_equal(&config->relay.external[i].internal, &pair.internal))
			continue;
		config_report(reader, item->name_mark, "%s: %s is given twice; allowed: once",
			      key->path, item->name);
		return;
	}
	if (has_room(reader, key, item->name_mark, config->relay.external_count, CONFIG_RELAY_MAX))
		config->relay.external[config->relay.external_count++] = pair;
}

/* Makes room for one more in an array whose size is count rounded up to a power of two. */
static bool grow(void **array, size_t count, size_t item_size)
{
	void *larger;

	if (count & (count - 1))
		return true;
	larger = reallocarray(*array, count ? 2 * count : 1, item_size);
	if (larger)
		*array = larger;
	return larger;
}

static void add_user(struct config_reader *reader, const struct config_item *item)
{
	struct config *config = reader->config;
	_cleanup_free_ char *name = strdup(item->name);
	_cleanup_free_ char *password = strdup(item->text);
	void *users = config->auth.users;

	if (!name || !password ||
	    !grow(&users, config->auth.user_count, sizeof(struct config_user))) {
		config_report(reader, item->mark, "out of memory");
		return;
	}
	config->auth.users = users;
	config->auth.users[config->auth.user_count++] = (struct config_user){
		.name = TAKE_PTR(name), .password = TAKE_PTR(password)};
}

void config_take_user(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item)
{
	const struct config *config = reader->config;
	size_t name_len = strlen(item->name), password_len = strlen(item->text);

	if (name_len == 0 || name_len > CONFIG_USER_LEN_MAX) {
		config_report(reader, item->name_mark,
			      "%s: a name of %zu bytes; allowed: 1 to %d bytes", key->path,
			      name_len, CONFIG_USER_LEN_MAX);
		return;
	}
	if (password_len == 0 || password_len > CONFIG_PASSWORD_MAX) {
		config_report(reader, item->mark,
			      "%s: a password of %zu bytes; allowed: 1 to %d bytes", key->path,
			      password_len, CONFIG_PASSWORD_MAX);
		return;
	}
	for (size_t i = 0; i < config->auth.user_count; i++) {
		if (strcmp(config->auth.users[i].name, item->name) != 0)
			continue;
		config_report(reader, item->name_mark,
			      "%s: \"%.60s\" is given twice; allowed: once", key->path, item->name);
		return;
	}
	if (has_room(reader, key, item->name_mark, config->auth.user_count, CONFIG_USERS_MAX))
		add_user(reader, item);
}

static void take_prefix(struct config_reader *reader, const struct config_key *key,
			const struct config_item *item, struct config_prefix **list, size_t *count)
{
	struct config_prefix entry = {.mark = item->mark};
	void *array = *list;

	if (prefix_parse(item->text, &entry.prefix) < 0) {
		config_report(reader, item->mark,
			      "%s: \"%.60s\" is not a prefix; allowed: 10.0.0.0/8, 2001:db8::/32 "
			      "or one address, the bits behind the length zero",
			      key->path, item->text);
		return;
	}
	if (!has_room(reader, key, item->mark, *count, CONFIG_PREFIXES_MAX))
		return;
	if (!grow(&array, *count, sizeof(entry))) {
		config_report(reader, item->mark, "out of memory");
		return;
	}
	*list = array;
	(*list)[(*count)++] = entry;
}

void config_take_allow(struct config_reader *reader, const struct config_key *key,
		       const struct config_item *item)
{
	take_prefix(reader, key, item, &reader->config->peers.allow,
		    &reader->config->peers.allow_count);
}

void config_take_deny(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item)
{
	take_prefix(reader, key, item, &reader->config->peers.deny,
		    &reader->config->peers.deny_count);
}

void config_take_interface(struct config_reader *reader, const struct config_key *key,
			   const struct config_item *item)
{
	struct config *config = reader->config;
	size_t count = config->kernel.interface_count, len = strlen(item->text);

	/* The kernel's own rule for names of network devices. */
	if (len == 0 || len >= IF_NAMESIZE || strpbrk(item->text, "/: \t") ||
	    strcmp(item->text, ".") == 0 || strcmp(item->text, "..") == 0) {
		config_report(reader, item->mark,
			      "%s: \"%.60s\" cannot be an interface's name; allowed: up to %d "
			      "bytes without /, : and spaces",
			      key->path, item->text, IF_NAMESIZE - 1);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(config->kernel.interfaces[i].name, item->text) != 0)
			continue;
		config_report(reader, item->mark, "%s: %s is given twice; allowed: once", key->path,
			      item->text);
		return;
	}
	if (!has_room(reader, key, item->mark, count, CONFIG_INTERFACES_MAX))
		return;
	memcpy(config->kernel.interfaces[count].name, item->text, len + 1);
	config->kernel.interfaces[count].mark = item->mark;
	config->kernel.interface_count++;
}
