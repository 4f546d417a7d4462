/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's flows in the kernel. See flow_table.h.
 *
 * The order of writes is what keeps one tenant's packets from another's peer. To install: the
 * slot whole, then its generation, then the index entry. To remove: the index entry, then the
 * generation; the rest of the slot stays as it is until the grace time is over. A generation is
 * used once per slot, so that an index entry read late never fits a slot used anew (after 2^32
 * uses of one slot it would come again, which FLOW_GRACE_NS for each makes 13 years).
 */
#include "kernel/flow_table.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/slot_ring.h"
#include "kernel/state.h"
#include "turnpike.skel.h"

/* RFC 8656 12: the numbers that a ChannelBind may ask for. */
#define CHANNEL_FIRST 0x4000
#define CHANNEL_LAST  0x4FFF

struct flow_table {
	struct kernel *kernel;
	uint32_t worker;
	uint32_t first;
	uint32_t size; /* 0 with the null twin */
	struct slot_ring free;
	struct flow_counter *cpus; /* room for one counter per CPU */
	int cpu_count;
};

int flow_table_new(struct kernel *kernel, uint32_t worker, struct flow_table **ret)
{
	struct flow_table *table = calloc(1, sizeof(*table));
	uint64_t slots = kernel->options.slots, workers = kernel->options.workers;
	int err = 0;

	if (!table)
		return -ENOMEM;
	table->kernel = kernel;
	table->worker = worker;
	if (!kernel_is_null(kernel)) {
		ASSERT(worker < workers);
		table->first = (uint32_t)(slots * worker / workers);
		table->size = (uint32_t)(slots * (worker + 1) / workers) - table->first;
		table->cpu_count = libbpf_num_possible_cpus();
		if (table->cpu_count < 0)
			err = table->cpu_count;
	}
	if (!err)
		err = slot_ring_init(&table->free, table->first, table->size);
	if (!err) {
		table->cpus = calloc(MAX((size_t)table->cpu_count, 1UL), sizeof(*table->cpus));
		err = table->cpus ? 0 : -ENOMEM;
	}
	if (err) {
		flow_table_free(&table);
		return err;
	}
	*ret = table;
	return 0;
}

static struct flow_slot *slot_in_use(const struct flow_table *table, uint32_t number)
{
	struct flow_slot *slot = &table->kernel->slots[number];

	ASSERT(number >= table->first && number - table->first < table->size);
	ASSERT(slot->generation != 0);
	return slot;
}

union flow_key {
	struct flow_key4 v4;
	struct flow_key6 v6;
};

/* The index that a leg's packets are looked up in, and their key there. */
static int index_of(const struct flow_table *table, const struct flow_leg *leg,
		    union flow_key *ret_key)
{
	const struct turnpike_bpf *program = table->kernel->program;

	if (leg->family == FLOW_IPV4) {
		ret_key->v4 = (struct flow_key4){
			.src = leg->src.v4,
			.dst = leg->dst.v4,
			.sport = leg->sport,
			.dport = leg->dport,
			.channel = leg->channel,
		};
		return bpf_map__fd(program->maps.flows4);
	}
	ret_key->v6 = (struct flow_key6){
		.sport = leg->sport,
		.dport = leg->dport,
		.channel = leg->channel,
	};
	memcpy(ret_key->v6.src, leg->src.v6, sizeof(ret_key->v6.src));
	memcpy(ret_key->v6.dst, leg->dst.v6, sizeof(ret_key->v6.dst));
	return bpf_map__fd(program->maps.flows6);
}

/* Dead when this returns: no packet that comes now finds the slot. */
static void unpublish(struct flow_table *table, struct flow_slot *slot)
{
	union flow_key key;
	int fd = index_of(table, &slot->in, &key);

	bpf_map_delete_elem(fd, &key);
	__atomic_store_n(&slot->generation, 0, __ATOMIC_RELEASE);
}

void flow_table_leave(struct flow_table **pointer)
{
	struct flow_table *table = *pointer;

	*pointer = NULL;
	if (!table)
		return;
	slot_ring_destroy(&table->free);
	free(table->cpus);
	free(table);
}

void flow_table_free(struct flow_table **pointer)
{
	struct flow_table *table = *pointer;

	for (uint32_t i = 0; table && i < table->size; i++) {
		struct flow_slot *slot = &table->kernel->slots[table->first + i];

		if (slot->generation)
			unpublish(table, slot);
	}
	flow_table_leave(pointer);
}

static bool is_channel(uint16_t number)
{
	return number >= CHANNEL_FIRST && number <= CHANNEL_LAST;
}

/* An address, and a port unless it must be none. */
static bool is_end(const struct addr *a, bool with_port)
{
	return addr_ip_len(a) && (a->port != 0) == with_port;
}

static bool is_leg(const struct addr *src, const struct addr *dst)
{
	return src->family == dst->family && is_end(dst, true);
}

/* The addresses and channel numbers are those of the role. */
static bool fits_role(const struct flow_spec *spec)
{
	bool permission = spec->role == FLOW_ROLE_PERMISSION;
	bool has_in = is_end(&spec->in.src, !permission) && is_leg(&spec->in.src, &spec->in.dst);
	bool has_out = is_end(&spec->out.src, true) && is_leg(&spec->out.src, &spec->out.dst);
	bool has_channel = spec->in.channel || spec->out.channel;

	switch (spec->role) {
	case FLOW_ROLE_CHANNEL:
		return has_in && has_out && !spec->in.channel != !spec->out.channel &&
		       is_channel(spec->in.channel ? spec->in.channel : spec->out.channel);
	case FLOW_ROLE_SENDER:
		return has_in && is_end(&spec->out.src, true) &&
		       spec->out.dst.family == ADDR_NONE && !spec->out.dst.port && !has_channel;
	case FLOW_ROLE_PERMISSION:
		return has_in && has_out && !has_channel;
	}
	return false;
}

/* What leaves for a client cannot be looked up again, and only a permission has a hop to a peer. */
static bool hops_fit_role(const struct kernel *kernel, const struct flow_spec *spec)
{
	bool permission = spec->role == FLOW_ROLE_PERMISSION;
	bool up = spec->role == FLOW_ROLE_CHANNEL && spec->in.channel;
	uint32_t hops = kernel->options.next_hops;

	if (spec->next_hop >= hops && !(up && spec->next_hop == FLOW_NEXT_HOP_SELF))
		return false;
	if (spec->peer_hop >= hops && spec->peer_hop != FLOW_NEXT_HOP_SELF)
		return false;
	if (spec->from_self && (up || spec->role == FLOW_ROLE_SENDER))
		return false;
	return (permission || !spec->peer_hop) &&
	       (spec->role != FLOW_ROLE_SENDER || !spec->next_hop);
}

static int check_spec(const struct kernel *kernel, const struct flow_spec *spec)
{
	bool bucket_exists = !spec->bucket || spec->bucket < kernel->options.buckets;

	return fits_role(spec) && hops_fit_role(kernel, spec) && bucket_exists ? 0 : -EINVAL;
}

/* The client's side has a channel or indications, the peer's bare data. */
static enum flow_form form_in(const struct flow_spec *spec)
{
	if (spec->role == FLOW_ROLE_SENDER)
		return FLOW_FORM_INDICATION;
	return spec->in.channel ? FLOW_FORM_CHANNEL : FLOW_FORM_UDP;
}

static enum flow_form form_out(const struct flow_spec *spec)
{
	if (spec->role == FLOW_ROLE_PERMISSION)
		return FLOW_FORM_INDICATION;
	return spec->out.channel ? FLOW_FORM_CHANNEL : FLOW_FORM_UDP;
}

/* What the key of the in leg has in place of a channel number, too. */
static uint16_t channel_in(const struct flow_spec *spec)
{
	if (spec->role != FLOW_ROLE_SENDER)
		return spec->in.channel;
	return spec->out.src.family == ADDR_IPV4 ? FLOW_SEND_IPV4 : FLOW_SEND_IPV6;
}

static struct flow_leg make_leg(const struct addr *src, const struct addr *dst, uint16_t channel,
				enum flow_form form)
{
	struct flow_leg leg = {
		.sport = htons(src->port),
		.dport = htons(dst->port),
		.channel = htons(channel),
		.family = src->family,
		.form = form,
	};

	memcpy(leg.src.v6, src->ip, addr_ip_len(src));
	memcpy(leg.dst.v6, dst->ip, addr_ip_len(dst));
	return leg;
}

/* Counters are zeroed here and not on removal, when packets under way still count. */
static int zero_traffic(struct flow_table *table, uint32_t number)
{
	int fd = bpf_map__fd(table->kernel->program->maps.traffic);

	if (!table->kernel->generations[number])
		return 0; /* used for the first time */
	memset(table->cpus, 0, (size_t)table->cpu_count * sizeof(*table->cpus));
	return bpf_map_update_elem(fd, &number, table->cpus, BPF_ANY);
}

static uint32_t next_generation(struct flow_table *table, uint32_t number)
{
	uint32_t *generation = &table->kernel->generations[number];

	if (++*generation == 0)
		++*generation;
	return *generation;
}

static int publish(struct flow_table *table, uint32_t number, const struct flow_spec *spec)
{
	struct flow_slot *slot = &table->kernel->slots[number];
	struct flow_ref ref = {.slot = number};
	union flow_key key;
	int fd, err = zero_traffic(table, number);

	if (err)
		return err;
	slot->next_hop = spec->next_hop;
	slot->expires_ns = spec->expires_ns;
	slot->in = make_leg(&spec->in.src, &spec->in.dst, channel_in(spec), form_in(spec));
	slot->out = make_leg(&spec->out.src, &spec->out.dst, spec->out.channel, form_out(spec));
	slot->allocation = spec->allocation;
	slot->worker = table->worker;
	slot->peer_hop = spec->peer_hop;
	slot->bucket = spec->bucket;
	slot->from_self = spec->from_self;
	ref.generation = next_generation(table, number);
	__atomic_store_n(&slot->generation, ref.generation, __ATOMIC_RELEASE);
	fd = index_of(table, &slot->in, &key);
	err = bpf_map_update_elem(fd, &key, &ref, BPF_NOEXIST);
	if (err)
		__atomic_store_n(&slot->generation, 0, __ATOMIC_RELEASE);
	return err == -E2BIG || err == -ENOMEM ? -ENOSPC : err;
}

int flow_table_add(struct flow_table *table, const struct flow_spec *spec, uint64_t now_ns,
		   uint32_t *ret_slot)
{
	uint32_t number;
	int err = kernel_is_null(table->kernel) ? -EOPNOTSUPP : check_spec(table->kernel, spec);

	if (!err)
		err = slot_ring_take(&table->free, now_ns, &number);
	if (err)
		return err;
	err = publish(table, number, spec);
	if (err) {
		slot_ring_undo(&table->free, number);
		return err;
	}
	*ret_slot = number;
	return 0;
}

void flow_table_set_expiry(struct flow_table *table, uint32_t slot, uint64_t expires_ns)
{
	__atomic_store_n(&slot_in_use(table, slot)->expires_ns, expires_ns, __ATOMIC_RELAXED);
}

void flow_table_set_next_hop(struct flow_table *table, uint32_t slot, uint32_t next_hop)
{
	__atomic_store_n(&slot_in_use(table, slot)->next_hop, next_hop, __ATOMIC_RELAXED);
}

void flow_table_set_peer_hop(struct flow_table *table, uint32_t slot, uint32_t peer_hop)
{
	__atomic_store_n(&slot_in_use(table, slot)->peer_hop, peer_hop, __ATOMIC_RELAXED);
}

void flow_table_remove(struct flow_table *table, uint32_t slot, uint64_t now_ns)
{
	unpublish(table, slot_in_use(table, slot));
	slot_ring_retire(&table->free, slot, now_ns);
}

int flow_table_traffic(const struct flow_table *table, uint32_t slot, struct flow_counter *ret)
{
	struct flow_counter sum = {0};
	int err;

	slot_in_use(table, slot);
	err = bpf_map_lookup_elem(bpf_map__fd(table->kernel->program->maps.traffic), &slot,
				  table->cpus);
	if (err)
		return err;
	for (int i = 0; i < table->cpu_count; i++) {
		sum.packets += table->cpus[i].packets;
		sum.bytes += table->cpus[i].bytes;
	}
	*ret = sum;
	return 0;
}

uint32_t flow_table_used(const struct flow_table *table)
{
	return table->size - table->free.count;
}

uint32_t flow_table_size(const struct flow_table *table)
{
	return table->size;
}
