/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From configuration to plan: addresses, interfaces, number of workers. See plan.h.
 */
#include "daemon/plan.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "net/net.h"

#define DEFAULT_PORT 3478

struct host {
	struct net_address *addresses;
	size_t count;
};

struct maker {
	const struct config *config;
	const char *path;
	FILE *errors;
	struct host host;
	struct plan *plan;
	bool failed;
};

/* Prints where and what; a value that came by default has no line. */
static void PRINTF_LIKE(3, 4)
	complain(struct maker *m, const struct config_mark *mark, const char *format, ...)
{
	va_list args;

	m->failed = true;
	if (m->path && mark && mark->line)
		fprintf(m->errors, "%s:%u:%u: ", m->path, mark->line, mark->column);
	else
		fprintf(m->errors, "%s: ", m->path ? m->path : "turnpiked");
	va_start(args, format);
	vfprintf(m->errors, format, args);
	va_end(args);
	fputc('\n', m->errors);
}

static const struct net_address *host_find(const struct host *host, const struct addr *ip)
{
	for (size_t i = 0; i < host->count; i++)
		if (addr_same_ip(&host->addresses[i].addr, ip))
			return &host->addresses[i];
	return NULL;
}

/* "eth0 192.0.2.1, eth0 2001:db8::1": what could have been written instead. */
static const char *host_describe(const struct host *host, char *ret, size_t size)
{
	size_t used = 0;

	snprintf(ret, size, "none");
	for (size_t i = 0; i < host->count && used < size; i++) {
		int n = snprintf(ret + used, size - used, "%s%s", used ? ", " : "",
				 ADDR_IP_TEXT(&host->addresses[i].addr));

		used += n > 0 ? (size_t)n : 0;
	}
	return ret;
}

static void require_on_host(struct maker *m, const struct addr *ip, const struct config_mark *mark)
{
	char have[512];

	if (!host_find(&m->host, ip))
		complain(m, mark, "no interface has the address %s; this host has: %s",
			 ADDR_IP_TEXT(ip), host_describe(&m->host, have, sizeof(have)));
}

/* The interface that carries the default route of a family, 0 if there is none. */
static unsigned int default_interface(enum addr_family family)
{
	/* Addresses of the root servers' kind: certainly not on a local link. */
	static const char *const far[] = {"198.41.0.4", "2001:503:ba3e::2:30"};
	struct addr dst, source;
	unsigned int ifindex;

	if (addr_parse_ip(far[family == ADDR_IPV6], &dst) < 0 ||
	    net_query_route(NULL, &dst, &ifindex, &source) < 0)
		return 0;
	return ifindex;
}

/*
 * With nothing configured: every global address on the interface of the family's default route,
 * or where a family has no default route, on any interface that is up.
 */
static void listen_by_default(struct maker *m)
{
	const unsigned int via[] = {default_interface(ADDR_IPV4), default_interface(ADDR_IPV6)};
	struct plan *p = m->plan;

	for (size_t i = 0; i < m->host.count && p->listen_count < CONFIG_LISTEN_MAX; i++) {
		const struct net_address *a = &m->host.addresses[i];
		unsigned int wanted = via[a->addr.family == ADDR_IPV6];

		if (!a->up || !a->global || (wanted && wanted != a->ifindex))
			continue;
		p->listen[p->listen_count] = a->addr;
		p->listen[p->listen_count++].port = DEFAULT_PORT;
	}
	if (p->listen_count == 0)
		complain(m, NULL,
			 "this host has no global address to listen on; name one under `listen`");
}

static void plan_listeners(struct maker *m)
{
	const struct config *c = m->config;

	for (size_t i = 0; i < c->listen_count; i++) {
		require_on_host(m, &c->listen[i].addr, &c->listen[i].mark);
		m->plan->listen[m->plan->listen_count++] = c->listen[i].addr;
	}
	if (c->listen_count == 0)
		listen_by_default(m);
}

static void add_relay(struct maker *m, const struct addr *ip)
{
	struct ports_config *relay = &m->plan->relay;
	struct addr internal = *ip;

	internal.port = 0;
	for (size_t i = 0; i < relay->count; i++)
		if (addr_same_ip(&relay->addresses[i].internal, &internal))
			return;
	if (relay->count == PORTS_ADDRESS_MAX) {
		complain(m, NULL, "more than %d relay addresses", PORTS_ADDRESS_MAX);
		return;
	}
	relay->addresses[relay->count].internal = internal;
	relay->addresses[relay->count++].external = internal;
}

static void plan_relay(struct maker *m)
{
	const struct config *c = m->config;
	struct ports_config *relay = &m->plan->relay;

	for (size_t i = 0; i < c->relay.address_count; i++) {
		require_on_host(m, &c->relay.addresses[i].addr, &c->relay.addresses[i].mark);
		add_relay(m, &c->relay.addresses[i].addr);
	}
	for (size_t i = 0; c->relay.address_count == 0 && i < m->plan->listen_count; i++)
		add_relay(m, &m->plan->listen[i]);
	for (size_t i = 0; i < c->relay.external_count; i++) {
		const struct config_external *e = &c->relay.external[i];
		bool found = false;

		for (size_t j = 0; j < relay->count; j++) {
			if (!addr_same_ip(&relay->addresses[j].internal, &e->internal))
				continue;
			relay->addresses[j].external = e->external;
			found = true;
		}
		if (!found)
			complain(m, &e->mark, "%s is not one of relay.addresses",
				 ADDR_IP_TEXT(&e->internal));
	}
	relay->first = c->relay.port_first;
	relay->last = c->relay.port_last;
	/* As many as there could be pairs of ports, within reason. */
	relay->reservations_max = 1024;
}

static void add_interface(struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->interface_count; i++)
		if (strcmp(p->interfaces[i], name) == 0)
			return;
	if (p->interface_count < CONFIG_INTERFACES_MAX)
		snprintf(p->interfaces[p->interface_count++], IF_NAMESIZE, "%s", name);
}

/* XDP runs in the driver, below VLANs: an address on eth0.7 is reached through eth0. */
static void add_interface_below(struct plan *p, const char *name)
{
	struct net_link bottom;

	if (strcmp(name, "lo") == 0)
		return;
	add_interface(p, net_query_bottom_link(name, &bottom) == 0 ? bottom.name : name);
}

static void add_interface_of(struct maker *m, const struct addr *ip)
{
	const struct net_address *a = host_find(&m->host, ip);

	if (a)
		add_interface_below(m->plan, a->ifname);
}

/* Those that carry the addresses, and those that lead out. */
static void plan_interfaces(struct maker *m)
{
	const struct config *c = m->config;
	struct plan *p = m->plan;

	for (size_t i = 0; i < c->kernel.interface_count; i++)
		add_interface(p, c->kernel.interfaces[i].name);
	if (c->kernel.interface_count > 0)
		return;
	for (size_t i = 0; i < p->listen_count; i++)
		add_interface_of(m, &p->listen[i]);
	for (size_t i = 0; i < p->relay.count; i++) {
		unsigned int out = default_interface(p->relay.addresses[i].internal.family);
		char name[IF_NAMESIZE];

		add_interface_of(m, &p->relay.addresses[i].internal);
		if (out && if_indextoname(out, name))
			add_interface_below(p, name);
	}
}

static uint32_t usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return MIN((uint32_t)CPU_COUNT(&set), CONFIG_WORKERS_MAX);
}

int plan_make(const struct config *config, const char *path, FILE *errors, struct plan *ret)
{
	struct maker m = {.config = config, .path = path, .errors = errors, .plan = ret};
	_cleanup_free_ struct net_address *addresses = NULL;
	int err;

	memset(ret, 0, sizeof(*ret));
	err = net_list_addresses(&addresses, &m.host.count);
	if (err < 0) {
		complain(&m, NULL, "the host's addresses cannot be read: %s", strerror(-err));
		return -EINVAL;
	}
	m.host.addresses = addresses;
	plan_listeners(&m);
	plan_relay(&m);
	plan_interfaces(&m);
	ret->workers = config->workers ? config->workers : usable_cpus();
	return m.failed ? -EINVAL : 0;
}
