/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers for operators. See report.h.
 */
#include "daemon/report.h"

#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static double seconds_until(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns > now_ns ? (double)((then_ns - now_ns) / NSEC_PER_MSEC) / 1e3 : 0.0;
}

static json_t *addr_json(const struct addr *a)
{
	return json_string(ADDR_TEXT(a));
}

static json_t *ip_json(const struct addr *a)
{
	return json_string(ADDR_IP_TEXT(a));
}

static json_t *counter_json(uint64_t packets, uint64_t bytes)
{
	return json_pack("{sIsI}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

/* What is summed over the workers, each in its own thread. */
struct totals {
	struct turn_counters turn;
	struct flows_counters flows;
	struct conductor_counters conductor;
	uint64_t allocations, flows_used, flows_size;
};

static void add_fields(uint64_t *sum, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += from[i];
}

static void add_worker(const struct worker_parts *parts, void *arg)
{
	struct totals *t = arg;

#define ADD(field, source)                                            \
	add_fields((uint64_t *)&t->field, (const uint64_t *)(source), \
		   sizeof(t->field) / sizeof(uint64_t))
	ADD(turn, turn_counters(parts->turn));
	ADD(flows, flows_counters(parts->flows));
	ADD(conductor, conductor_counters(parts->conductor));
#undef ADD
	t->allocations += turn_allocation_count(parts->turn);
	t->flows_used += flows_used(parts->flows);
	t->flows_size += flows_size(parts->flows);
}

static void add_up(const struct report_context *r, struct totals *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < r->plan->workers; i++)
		worker_call(r->workers[i], add_worker, ret);
}

static json_t *kernel_json(const struct report_context *r, const struct totals *totals)
{
	const struct kernel_attachment *attached;
	size_t count = kernel_attachments(r->kernel, &attached);
	enum kernel_mode best = KERNEL_MODE_OFF;
	json_t *interfaces = json_array();

	for (size_t i = 0; i < count; i++) {
		best = MAX(best, attached[i].mode);
		json_array_append_new(interfaces,
				      json_pack("{ss sI ss ss}", "name", attached[i].name,
						"ifindex", (json_int_t)attached[i].ifindex, "mode",
						kernel_mode_name(attached[i].mode), "reason",
						attached[i].reason));
	}
	return json_pack("{ss ss ss so s{sI sI}}", "mode", kernel_mode_name(best), "reason",
			 r->kernel_reason, "pin_path", r->config->kernel.pin_path, "interfaces",
			 interfaces, "flows", "used", (json_int_t)totals->flows_used, "size",
			 (json_int_t)totals->flows_size);
}

static json_t *relay_json(const struct plan *plan)
{
	json_t *addresses = json_array();

	for (size_t i = 0; i < plan->relay.count; i++)
		json_array_append_new(
			addresses,
			json_pack("{soso}", "internal", ip_json(&plan->relay.addresses[i].internal),
				  "external", ip_json(&plan->relay.addresses[i].external)));
	return json_pack("{sosIsI}", "addresses", addresses, "first_port",
			 (json_int_t)plan->relay.first, "last_port", (json_int_t)plan->relay.last);
}

static json_t *status(const struct report_context *r)
{
	json_t *listeners = json_array();
	struct totals totals;

	add_up(r, &totals);
	for (size_t i = 0; i < r->plan->listen_count; i++)
		json_array_append_new(listeners, json_pack("{ssso}", "transport", "udp", "address",
							   addr_json(&r->plan->listen[i])));
	return json_pack("{sI ss sI sI sI ss so so so s{sI sI}}", "protocol",
			 (json_int_t)CONTROL_PROTOCOL_VERSION, "version", TURNPIKE_VERSION, "pid",
			 (json_int_t)getpid(), "uptime_s",
			 (json_int_t)((monotonic_ns() - r->started_ns) / NSEC_PER_SEC), "workers",
			 (json_int_t)r->plan->workers, "realm", r->config->realm, "listeners",
			 listeners, "relay", relay_json(r->plan), "kernel", kernel_json(r, &totals),
			 "allocations", "current", (json_int_t)totals.allocations, "limit",
			 (json_int_t)r->config->limits.allocations);
}

static void put_counter(json_t *into, const char *name, uint64_t value, const char *help)
{
	json_object_set_new(into, name,
			    json_pack("{sIss}", "value", (json_int_t)value, "help", help));
}

static json_t *daemon_stats(const struct totals *t)
{
	json_t *out = json_object();

#define X(name, meaning) put_counter(out, #name, t->turn.name, meaning);
	TURN_COUNTERS(X)
#undef X
#define X(name, meaning) put_counter(out, #name, t->flows.name, meaning);
	FLOWS_COUNTERS(X)
#undef X
#define X(name, meaning) put_counter(out, #name, t->conductor.name, meaning);
	CONDUCTOR_COUNTERS(X)
#undef X
	return out;
}

static json_t *kernel_stats(const struct kernel *kernel)
{
	static const char *const kinds[] = {[FLOW_KIND_CARRIED] = "carried",
					    [FLOW_KIND_PASSED] = "passed",
					    [FLOW_KIND_DROPPED] = "dropped"};
	struct flow_stats stats = {0};
	json_t *out = json_object();

	kernel_read_stats(kernel, &stats);
#define X(constant, name, kind, meaning)                                                           \
	json_object_set_new(out, #name,                                                            \
			    json_pack("{ss sI sI ss}", "kind", kinds[FLOW_KIND_##kind], "packets", \
				      (json_int_t)stats.name.packets, "bytes",                     \
				      (json_int_t)stats.name.bytes, "help", meaning));
	FLOW_VERDICTS(X)
#undef X
	return out;
}

static json_t *stats(const struct report_context *r)
{
	struct totals totals;

	add_up(r, &totals);
	return json_pack("{soso}", "daemon", daemon_stats(&totals), "kernel",
			 kernel_stats(r->kernel));
}

/* Collects one worker's allocations while its thread waits for us. */
struct collector {
	const struct worker_parts *parts;
	uint64_t now_ns;
	json_t *list;
};

static json_t *permissions_json(const struct turn_allocation_view *view, uint64_t now_ns)
{
	json_t *out = json_array();

	for (size_t i = 0; i < view->permission_count; i++)
		json_array_append_new(
			out, json_pack("{sosf}", "peer", ip_json(&view->permissions[i].peer),
				       "expires_s",
				       seconds_until(view->permissions[i].expires_ns, now_ns)));
	return out;
}

static json_t *channel_json(const struct turn_channel_view *channel,
			    const struct flows_traffic *traffic, uint64_t now_ns)
{
	char number[8];

	snprintf(number, sizeof(number), "0x%04X", channel->number);
	return json_pack("{ss so sf ss so so}", "number", number, "peer", addr_json(&channel->peer),
			 "expires_s", seconds_until(channel->expires_ns, now_ns), "path",
			 traffic->carried ? "kernel" : "daemon", "to_peer",
			 counter_json(traffic->to_peer.packets, traffic->to_peer.bytes),
			 "to_client",
			 counter_json(traffic->to_client.packets, traffic->to_client.bytes));
}

static void collect_allocation(void *ctx, const struct turn_allocation_view *view)
{
	struct collector *c = ctx;
	struct flows_traffic all;
	json_t *channels = json_array(), *relayed = json_array();

	for (size_t i = 0; i < view->channel_count; i++) {
		struct flows_traffic traffic;

		flows_traffic(c->parts->flows, view->channels[i].flow, &traffic);
		json_array_append_new(channels,
				      channel_json(&view->channels[i], &traffic, c->now_ns));
	}
	for (size_t i = 0; i < ARRAY_SIZE(view->relayed); i++)
		if (view->relayed[i].family != ADDR_NONE)
			json_array_append_new(relayed, addr_json(&view->relayed[i]));
	flows_allocation_traffic(c->parts->flows, view->allocation, &all);
	json_array_append_new(
		c->list,
		json_pack("{sI sI ss ss so so so sf sf so so s{so so} s{so so}}", "worker",
			  (json_int_t)c->parts->index, "id", (json_int_t)view->allocation, "user",
			  view->user, "transport", "udp", "client",
			  addr_json(&view->client.tuple.client), "server",
			  addr_json(&view->client.tuple.server), "relayed", relayed, "age_s",
			  seconds_until(c->now_ns, view->created_ns), "expires_s",
			  seconds_until(view->expires_ns, c->now_ns), "permissions",
			  permissions_json(view, c->now_ns), "channels", channels, "daemon",
			  "to_peer", counter_json(view->to_peer_packets, view->to_peer_bytes),
			  "to_client", counter_json(view->to_client_packets, view->to_client_bytes),
			  "kernel", "to_peer", counter_json(all.to_peer.packets, all.to_peer.bytes),
			  "to_client", counter_json(all.to_client.packets, all.to_client.bytes)));
}

static void collect_worker(const struct worker_parts *parts, void *arg)
{
	struct collector *c = arg;

	c->parts = parts;
	turn_visit(parts->turn, collect_allocation, c);
}

static json_t *allocations(const struct report_context *r)
{
	struct collector c = {.now_ns = monotonic_ns(), .list = json_array()};

	for (uint32_t i = 0; i < r->plan->workers; i++)
		worker_call(r->workers[i], collect_worker, &c);
	return json_pack("{so}", "allocations", c.list);
}

json_t *report_answer(void *ctx, enum control_command command, const json_t *request,
		      const char **ret_error)
{
	const struct report_context *r = ctx;

	(void)request;
	switch (command) {
	case CONTROL_STATUS:
		return status(r);
	case CONTROL_STATS:
		return stats(r);
	case CONTROL_ALLOCATIONS:
		return allocations(r);
	case CONTROL_COMMAND_MAX:
		break;
	}
	*ret_error = "this command is not known here";
	return NULL;
}
