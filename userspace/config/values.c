/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handlers of keys with one value: numbers, names, text, paths, port ranges.
 */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

/* Decimal digits, no sign, no leading zero: what YAML or C would read as octal is refused. */
static bool parse_number(const char *text, uint32_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long v = digits <= 10 ? strtoull(text, NULL, 10) : UINT64_MAX;

	if (digits == 0 || text[digits] || (digits > 1 && text[0] == '0'))
		return false;
	*ret = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
	return true;
}

void config_take_number(struct config_reader *reader, const struct config_key *key,
			const struct config_item *item)
{
	uint32_t v;

	if (item->quoted || !parse_number(item->text, &v))
		config_report(reader, item->mark,
			      "%s: \"%.60s\" is not a number; allowed: %u to %u, in decimal "
			      "digits without quotes",
			      key->path, item->text, key->min, key->max);
	else if (v < key->min || v > key->max)
		config_report(reader, item->mark, "%s: %.60s is out of range; allowed: %u to %u",
			      key->path, item->text, key->min, key->max);
	else
		memcpy((char *)reader->config + key->offset, &v, sizeof(v));
}

void config_take_name(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item)
{
	for (unsigned int i = 0; key->names[i]; i++) {
		if (strcmp(item->text, key->names[i]) != 0)
			continue;
		_Static_assert(sizeof(enum config_kernel_mode) == sizeof(i), "enums are ints");
		memcpy((char *)reader->config + key->offset, &i, sizeof(i));
		return;
	}
	config_report(reader, item->mark, "%s: there is no \"%.60s\"; allowed: %s", key->path,
		      item->text, key->type);
}

void config_take_realm(struct config_reader *reader, const struct config_key *key,
		       const struct config_item *item)
{
	size_t len = strlen(item->text);

	if (len == 0 || len > CONFIG_REALM_LEN_MAX) {
		config_report(reader, item->mark, "%s: %zu bytes long; allowed: 1 to %d", key->path,
			      len, CONFIG_REALM_LEN_MAX);
		return;
	}
	reader->config->realm = strdup(item->text);
	if (!reader->config->realm)
		config_report(reader, item->mark, "out of memory");
}

void config_take_path(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item)
{
	size_t len = strlen(item->text);

	if (item->text[0] != '/')
		config_report(reader, item->mark,
			      "%s: \"%.60s\" is not an absolute path; allowed: one that begins "
			      "with /",
			      key->path, item->text);
	else if (len >= key->size)
		config_report(reader, item->mark, "%s: the path has %zu bytes; allowed: up to %zu",
			      key->path, len, key->size - 1);
	else
		memcpy((char *)reader->config + key->offset, item->text, len + 1);
}

/* Below, a single datagram would take seconds; above, a 32-bit cost per KiB has no digits. */
#define RATE_MIN 8000ULL
#define RATE_MAX 100000000000ULL

/* Decimal digits and perhaps one of K, M, G, by thousands as network rates are. */
static bool parse_rate(const char *text, uint64_t *ret)
{
	static const char units[] = "KMG";
	size_t digits = strspn(text, "0123456789");
	uint64_t factor = 1;
	char number[12];
	uint32_t v;

	if (digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (text[digits]) {
		const char *unit = strchr(units, text[digits]);

		if (!unit || text[digits + 1])
			return false;
		for (const char *u = units; u <= unit; u++)
			factor *= 1000;
	}
	if (!parse_number(number, &v))
		return false;
	*ret = v * factor;
	return true;
}

void config_take_rate(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item)
{
	uint64_t rate;

	if (item->quoted || !parse_rate(item->text, &rate))
		config_report(reader, item->mark,
			      "%s: \"%.60s\" is not a rate; allowed: 0, or bits per second such as "
			      "500K, 20M, 1G",
			      key->path, item->text);
	else if (rate != 0 && (rate < RATE_MIN || rate > RATE_MAX))
		config_report(reader, item->mark,
			      "%s: %.60s is out of range; allowed: 0, or 8K to 100G", key->path,
			      item->text);
	else
		memcpy((char *)reader->config + key->offset, &rate, sizeof(rate));
}

/* "FIRST-LAST", both from 1 to 65535, in this order. */
static bool parse_ports(const char *text, uint32_t *ret_first, uint32_t *ret_last)
{
	const char *dash = strchr(text, '-');
	char first[8];

	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return false;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	return parse_number(first, ret_first) && parse_number(dash + 1, ret_last) &&
	       *ret_first > 0 && *ret_first <= *ret_last && *ret_last <= 65535;
}

void config_take_ports(struct config_reader *reader, const struct config_key *key,
		       const struct config_item *item)
{
	uint32_t first, last;

	if (!parse_ports(item->text, &first, &last)) {
		config_report(reader, item->mark,
			      "%s: \"%.60s\" is not a range of ports; allowed: FIRST-LAST with "
			      "1 to 65535, such as %s",
			      key->path, item->text, key->initial);
		return;
	}
	reader->config->relay.port_first = (uint16_t)first;
	reader->config->relay.port_last = (uint16_t)last;
}
