/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which addresses may be peers. See peer_policy.h. Knows nothing of allocations: that an own
 * address is a relay's is for the caller to ask ports.h first.
 */
#include "turn/peer_policy.h"

#include <string.h>

#include "base/macros.h"

struct special {
	struct prefix prefix;
	const char *name;
};

#define V4(a, b, c, d, bits, rule)                                                            \
	{                                                                                     \
		.prefix = {.base = {.family = ADDR_IPV4, .ip = {a, b, c, d}}, .len = (bits)}, \
		.name = (rule),                                                               \
	}
#define V6(bits, rule, ...)                                                                    \
	{                                                                                      \
		.prefix = {.base = {.family = ADDR_IPV6, .ip = {__VA_ARGS__}}, .len = (bits)}, \
		.name = (rule),                                                                \
	}

/*
 * The IANA IPv4 special-purpose registry (RFC 6890 and its updates): every entry that is not
 * globally reachable, or of which the registry does not say; then multicast. The few anycast
 * exceptions inside 192.0.0.0/24 (PCP, TURN) are servers, never peers of a call. The AS112 and AMT
 * blocks are globally reachable and so are not here.
 */
static const struct special special_v4[] = {
	V4(0, 0, 0, 0, 8, "this-network"),
	V4(10, 0, 0, 0, 8, "private-use"),
	V4(100, 64, 0, 0, 10, "shared-address-space"),
	V4(127, 0, 0, 0, 8, "loopback"),
	V4(169, 254, 0, 0, 16, "link-local"),
	V4(172, 16, 0, 0, 12, "private-use"),
	V4(192, 0, 0, 0, 24, "ietf-protocol-assignments"),
	V4(192, 0, 2, 0, 24, "documentation"),
	V4(192, 88, 99, 0, 24, "6to4-relay-anycast"),
	V4(192, 168, 0, 0, 16, "private-use"),
	V4(198, 18, 0, 0, 15, "benchmarking"),
	V4(198, 51, 100, 0, 24, "documentation"),
	V4(203, 0, 113, 0, 24, "documentation"),
	V4(224, 0, 0, 0, 4, "multicast"),
	V4(255, 255, 255, 255, 32, "limited-broadcast"),
	V4(240, 0, 0, 0, 4, "reserved"),
};

/*
 * The IANA IPv6 registry by the same rule, the deprecated and tunnelling forms by their names.
 * 64:ff9b::/96 is globally reachable: the address inside it decides.
 */
static const struct special special_v6[] = {
	V6(128, "unspecified", 0),
	V6(128, "loopback", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	V6(96, "ipv4-mapped", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
	V6(96, "ipv4-compatible", 0),
	V6(48, "local-nat64", 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01),
	V6(64, "discard-only", 0x01, 0x00),
	V6(64, "dummy", 0x01, 0x00, 0, 0, 0, 0, 0, 1),
	V6(32, "teredo", 0x20, 0x01, 0x00, 0x00),
	V6(23, "ietf-protocol-assignments", 0x20, 0x01),
	V6(32, "documentation", 0x20, 0x01, 0x0d, 0xb8),
	V6(16, "6to4", 0x20, 0x02),
	V6(20, "documentation", 0x3f, 0xff),
	V6(16, "segment-routing-sids", 0x5f, 0x00),
	V6(7, "unique-local", 0xfc),
	V6(10, "link-local", 0xfe, 0x80),
	V6(10, "site-local", 0xfe, 0xc0),
	V6(8, "multicast", 0xff),
};

/* RFC 4291 2.4: unicast that anyone may route is in here, and behind the NAT64 prefix. */
static const struct prefix global_unicast = {
	.base = {.family = ADDR_IPV6, .ip = {0x20}},
	.len = 3,
};
static const struct prefix nat64_well_known = {
	.base = {.family = ADDR_IPV6, .ip = {0x00, 0x64, 0xff, 0x9b}},
	.len = 96,
};

static bool bytes_are_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool starts_with(const uint8_t ip[static 16], const uint8_t *bytes, size_t len)
{
	return memcmp(ip, bytes, len) == 0;
}

/* RFC 4291 2.5.5: ::a.b.c.d, which :: and ::1 are not, and ::ffff:a.b.c.d. */
static bool is_mapped_or_compatible(const uint8_t ip[static 16])
{
	if (!bytes_are_zero(ip, 10))
		return false;
	if (ip[10] == 0xff && ip[11] == 0xff)
		return true;
	return ip[10] == 0 && ip[11] == 0 && !(bytes_are_zero(ip + 12, 3) && ip[15] <= 1);
}

/*
 * RFC 8215: the local prefix is a /48 that operators cut as they like. With zeros behind the
 * address as RFC 6052 2.2 places it under a /48 we read it there (around the eighth byte, which
 * is zero), else in the last four bytes, where longer prefixes of 96 bits put it.
 */
static void read_local_nat64(const uint8_t ip[static 16], uint8_t ret[static 4])
{
	if (bytes_are_zero(ip + 11, 5))
		memcpy(ret, (uint8_t[]){ip[6], ip[7], ip[9], ip[10]}, 4);
	else
		memcpy(ret, ip + 12, 4);
}

/* RFC 5214 6.1: the interface identifier, whose universal bit may be either. */
static bool is_isatap(const uint8_t ip[static 16])
{
	return (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe;
}

/* True if there is an IPv4 address inside. */
static bool embedded_v4(const uint8_t ip[static 16], uint8_t ret[static 4])
{
	static const uint8_t local_nat64[] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const uint8_t teredo[] = {0x20, 0x01, 0x00, 0x00};

	if (starts_with(ip, local_nat64, sizeof(local_nat64))) {
		read_local_nat64(ip, ret);
	} else if (ip[0] == 0x20 && ip[1] == 0x02) {
		memcpy(ret, ip + 2, 4);
	} else if (starts_with(ip, teredo, sizeof(teredo))) {
		/* RFC 4380 4: the client's address with every bit inverted. */
		for (size_t i = 0; i < 4; i++)
			ret[i] = (uint8_t)~ip[12 + i];
	} else if (is_mapped_or_compatible(ip) || starts_with(ip, nat64, sizeof(nat64)) ||
		   is_isatap(ip)) {
		memcpy(ret, ip + 12, 4);
	} else {
		return false;
	}
	return true;
}

struct addr peer_policy_canonical(const struct addr *a)
{
	uint8_t v4[4];

	if (a->family == ADDR_IPV6 && embedded_v4(a->ip, v4))
		return addr_make_v4(v4, a->port);
	return *a;
}

static bool list_contains(const struct prefix *list, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&list[i], a))
			return true;
	return false;
}

static const char *special_purpose(const struct addr *a)
{
	bool v4 = a->family == ADDR_IPV4;
	const struct special *table = v4 ? special_v4 : special_v6;
	size_t count = v4 ? ARRAY_SIZE(special_v4) : ARRAY_SIZE(special_v6);

	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&table[i].prefix, a))
			return table[i].name;
	if (v4 || prefix_contains(&global_unicast, a) || prefix_contains(&nat64_well_known, a))
		return NULL;
	return "reserved";
}

/* One form of the address by itself. */
static const char *form_denies(const struct peer_policy *policy, const struct addr *a)
{
	if (a->family != ADDR_IPV4 && a->family != ADDR_IPV6)
		return "no-address";
	for (size_t i = 0; i < policy->own_count; i++)
		if (addr_same_ip(&policy->own[i], a))
			return "own-address";
	if (list_contains(policy->deny, policy->deny_count, a))
		return "peers.deny";
	if (list_contains(policy->allow, policy->allow_count, a))
		return NULL;
	return special_purpose(a);
}

const char *peer_policy_denies(const struct peer_policy *policy, const struct addr *a)
{
	struct addr canonical = peer_policy_canonical(a);
	const char *rule = form_denies(policy, &canonical);

	/* What is inside tells more than how it is wrapped: its rule is the one to name. */
	if (!rule && !addr_same_ip(&canonical, a))
		rule = form_denies(policy, a);
	return rule;
}
