/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transport addresses: conversion, comparison, text. See addr.h.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct addr addr_make_v4(const uint8_t ip[static 4], uint16_t port)
{
	struct addr a = {.family = ADDR_IPV4, .port = port};

	memcpy(a.ip, ip, 4);
	return a;
}

struct addr addr_make_v6(const uint8_t ip[static 16], uint16_t port)
{
	struct addr a = {.family = ADDR_IPV6, .port = port};

	memcpy(a.ip, ip, 16);
	return a;
}

size_t addr_ip_len(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? 4 : a->family == ADDR_IPV6 ? 16 : 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t any[16];

	return a->family != ADDR_NONE && memcmp(a->ip, any, sizeof(any)) == 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *ret)
{
	if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		*ret = addr_make_v4((const uint8_t *)&in.sin_addr, ntohs(in.sin_port));
		return 0;
	}
	if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in;

		memcpy(&in, sa, sizeof(in));
		*ret = addr_make_v6(in.sin6_addr.s6_addr, ntohs(in.sin6_port));
		return 0;
	}
	return -EAFNOSUPPORT;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == ADDR_IPV4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}

	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a->port);
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

int addr_parse_ip(const char *text, struct addr *ret)
{
	uint8_t ip[16];

	if (inet_pton(AF_INET, text, ip) == 1) {
		*ret = addr_make_v4(ip, 0);
		return 0;
	}
	if (inet_pton(AF_INET6, text, ip) == 1) {
		*ret = addr_make_v6(ip, 0);
		return 0;
	}
	return -EINVAL;
}

/* Decimal digits only, 0 to max, no sign, no space. Returns -1 for anything else. */
static long parse_decimal(const char *text, long max)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return -1;

	long v = strtol(text, NULL, 10);

	return v <= max ? v : -1;
}

int addr_parse(const char *text, struct addr *ret)
{
	char ip[ADDR_TEXT_MAX];
	bool bracket = text[0] == '[';
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	const char *start = text + (bracket ? 1 : 0);

	if (!end || (size_t)(end - start) >= sizeof(ip) || (bracket && end[1] != ':'))
		return -EINVAL;
	memcpy(ip, start, (size_t)(end - start));
	ip[end - start] = '\0';

	long port = parse_decimal(end + (bracket ? 2 : 1), 65535);
	struct addr a;

	if (port < 1 || addr_parse_ip(ip, &a) < 0 || (a.family == ADDR_IPV6) != bracket)
		return -EINVAL;
	a.port = (uint16_t)port;
	*ret = a;
	return 0;
}

/* Clears the bits of a beyond len. */
static void mask_ip(struct addr *a, unsigned int len)
{
	for (unsigned int i = 0; i < addr_ip_len(a); i++) {
		unsigned int bits = len > i * 8 ? len - i * 8 : 0;

		if (bits < 8)
			a->ip[i] &= (uint8_t)(0xff00 >> bits);
	}
}

int prefix_parse(const char *text, struct prefix *ret)
{
	char ip[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t ip_len = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix p = {0};

	if (ip_len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, ip_len);
	ip[ip_len] = '\0';
	if (addr_parse_ip(ip, &p.base) < 0)
		return -EINVAL;

	long max = (long)addr_ip_len(&p.base) * 8;
	long len = slash ? parse_decimal(slash + 1, max) : max;
	struct addr masked = p.base;

	if (len < 0)
		return -EINVAL;
	mask_ip(&masked, (unsigned int)len);
	if (!addr_equal(&masked, &p.base))
		return -EINVAL;
	p.len = (uint8_t)len;
	*ret = p;
	return 0;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	struct addr masked = *a;

	mask_ip(&masked, p->len);
	return addr_same_ip(&masked, &p->base);
}

const char *addr_format_ip(const struct addr *a, char ret[static ADDR_TEXT_MAX])
{
	int family = a->family == ADDR_IPV4 ? AF_INET : AF_INET6;

	if (a->family == ADDR_NONE || !inet_ntop(family, a->ip, ret, ADDR_TEXT_MAX))
		snprintf(ret, ADDR_TEXT_MAX, "none");
	return ret;
}

const char *addr_format(const struct addr *a, char ret[static ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	snprintf(ret, ADDR_TEXT_MAX, a->family == ADDR_IPV6 ? "[%.50s]:%u" : "%.50s:%u", ip,
		 a->port);
	return ret;
}

const char *prefix_format(const struct prefix *p, char ret[static ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(&p->base, ip);
	snprintf(ret, ADDR_TEXT_MAX, "%.50s/%u", ip, p->len);
	return ret;
}
