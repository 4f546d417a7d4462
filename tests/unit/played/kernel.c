/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See kernel.h.
 */
#include "unit/played/kernel.h"

#include <errno.h>
#include <string.h>

struct flow_table table;
struct net net;
bool null_kernel;
struct played_bucket bucket;

void played_reset(void)
{
	memset(&table, 0, sizeof(table));
	memset(&net, 0, sizeof(net));
	memset(&bucket, 0, sizeof(bucket));
	table.size = SLOTS;
	null_kernel = false;
}

bool kernel_is_null(const struct kernel *kernel)
{
	(void)kernel;
	return null_kernel;
}

void kernel_set_next_hop(struct kernel *kernel, uint32_t id, const struct net_hop *hop)
{
	(void)kernel;
	(void)id;
	(void)hop;
}

uint64_t kernel_settle(struct kernel *kernel, uint64_t now_ns)
{
	(void)kernel;
	(void)now_ns;
	return 0;
}

void kernel_set_bucket(struct kernel *kernel, uint32_t id, uint64_t bits_per_second,
		       uint32_t burst_ms)
{
	(void)kernel;
	assert_int_equal(burst_ms, 100);
	bucket.id = id;
	bucket.bits_per_second = bits_per_second;
	bucket.used_before = table.used;
	bucket.count++;
}

int flow_table_new(struct kernel *kernel, uint32_t worker, struct flow_table **ret)
{
	(void)kernel;
	(void)worker;
	*ret = &table;
	return 0;
}

void flow_table_free(struct flow_table **t)
{
	*t = NULL;
}

/* Held by somebody, none yet, or the relay itself. */
static void check_hop(uint32_t hop)
{
	if (hop && hop != FLOW_NEXT_HOP_SELF)
		assert_true(hop < HOPS && net.references[hop] > 0);
}

int flow_table_add(struct flow_table *t, const struct flow_spec *spec, uint64_t now_ns,
		   uint32_t *ret_slot)
{
	uint32_t slot = 0;

	(void)now_ns;
	if (t->next_error)
		return t->next_error;
	if (t->used == t->size)
		return -ENOSPC;
	check_hop(spec->next_hop);
	check_hop(spec->peer_hop);
	while (t->slots[slot].live)
		slot++;
	t->slots[slot].live = true;
	t->slots[slot].spec = *spec;
	t->slots[slot].traffic = (struct flow_counter){0};
	t->used++;
	*ret_slot = slot;
	return 0;
}

static struct flow_spec *live(struct flow_table *t, uint32_t slot)
{
	assert_true(slot < SLOTS && t->slots[slot].live);
	return &t->slots[slot].spec;
}

void flow_table_set_expiry(struct flow_table *t, uint32_t slot, uint64_t expires_ns)
{
	live(t, slot)->expires_ns = expires_ns;
}

void flow_table_set_next_hop(struct flow_table *t, uint32_t slot, uint32_t next_hop)
{
	check_hop(next_hop);
	live(t, slot)->next_hop = next_hop;
}

void flow_table_set_peer_hop(struct flow_table *t, uint32_t slot, uint32_t peer_hop)
{
	check_hop(peer_hop);
	assert_int_equal(live(t, slot)->role, FLOW_ROLE_PERMISSION);
	live(t, slot)->peer_hop = peer_hop;
}

void flow_table_remove(struct flow_table *t, uint32_t slot, uint64_t now_ns)
{
	(void)now_ns;
	live(t, slot);
	t->slots[slot].live = false;
	t->used--;
}

int flow_table_traffic(const struct flow_table *t, uint32_t slot, struct flow_counter *ret)
{
	assert_true(slot < SLOTS && t->slots[slot].live);
	*ret = t->slots[slot].traffic;
	return 0;
}

uint32_t flow_table_used(const struct flow_table *t)
{
	return t->used;
}

uint32_t flow_table_size(const struct flow_table *t)
{
	return t->size;
}

int net_open(const struct net_events *events, uint32_t first_id, uint32_t max_hops,
	     struct net **ret)
{
	(void)first_id;
	(void)max_hops;
	net.events = *events;
	*ret = &net;
	return 0;
}

void net_close(struct net **n)
{
	*n = NULL;
}

int net_fd(const struct net *n)
{
	(void)n;
	return -1;
}

int net_process(struct net *n)
{
	n->events.routes_changed(n->events.ctx);
	return 0;
}

/* One hop for each destination and epoch, by the last byte of the address. */
uint32_t hop_to(const struct addr *dst)
{
	return 1 + dst->ip[dst->family == ADDR_IPV4 ? 3 : 15] % 100 + net.epoch % 2 * 100;
}

int net_route(struct net *n, const struct addr *src, const struct addr *dst, uint32_t *ret_hop)
{
	assert_int_equal(src->family, dst->family);
	if (n->no_routes)
		return -ENETUNREACH;
	*ret_hop = hop_to(dst);
	n->references[*ret_hop]++;
	return 0;
}

void net_hop_release(struct net *n, uint32_t id)
{
	assert_true(id > 0 && id < HOPS && n->references[id] > 0);
	if (--n->references[id])
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		if (table.slots[i].live)
			assert_true(table.slots[i].spec.next_hop != id &&
				    table.slots[i].spec.peer_hop != id);
}

void net_keep_alive(struct net *n)
{
	(void)n;
}

unsigned int references(void)
{
	unsigned int sum = 0;

	for (uint32_t i = 0; i < HOPS; i++)
		sum += net.references[i];
	return sum;
}
