/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops and devices for the program. See publish.h.
 */
#include "kernel/publish.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/macros.h"
#include "kernel/state.h"
#include "turnpike.skel.h"

_Static_assert(NET_TAGS_MAX == FLOW_TAGS_MAX, "a hop's tags all fit");

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static struct flow_next_hop_entry make_entry(const struct net_hop *hop)
{
	struct flow_next_hop_entry entry = {
		.ifindex = hop->ifindex,
		.mtu = (uint16_t)MIN(hop->mtu, (uint32_t)UINT16_MAX),
		.valid = hop->valid,
		.tags = hop->tags,
	};

	memcpy(entry.src_mac, hop->src_mac, sizeof(entry.src_mac));
	memcpy(entry.dst_mac, hop->dst_mac, sizeof(entry.dst_mac));
	for (int i = 0; i < hop->tags; i++)
		entry.tag[i] = (struct flow_tag){
			.protocol = htons(hop->tag[i].protocol),
			.tci = htons(hop->tag[i].tci),
		};
	return entry;
}

static bool is_carrier(const struct kernel *kernel, unsigned int ifindex)
{
	for (size_t i = 0; i < kernel->carrier_count; i++)
		if (kernel->carriers[i] == ifindex)
			return true;
	return false;
}

/* With the lock held. */
static void publish_hop(struct kernel *kernel, uint32_t id, uint64_t time_ns)
{
	struct flow_next_hop_entry entry = kernel->wanted_hops[id];

	entry.valid = entry.valid && is_carrier(kernel, entry.ifindex);
	next_hops_set(kernel->next_hops, id, &entry, time_ns);
}

void kernel_set_next_hop(struct kernel *kernel, uint32_t id, const struct net_hop *hop)
{
	if (kernel_is_null(kernel))
		return;
	ASSERT(id > 0 && id < kernel->options.next_hops);
	pthread_mutex_lock(&kernel->hops_lock);
	kernel->wanted_hops[id] = make_entry(hop);
	publish_hop(kernel, id, now_ns());
	pthread_mutex_unlock(&kernel->hops_lock);
}

static void set_carriers(struct kernel *kernel, unsigned int *ifindexes, size_t count)
{
	uint64_t time_ns = now_ns();

	pthread_mutex_lock(&kernel->hops_lock);
	free(kernel->carriers);
	kernel->carriers = ifindexes;
	kernel->carrier_count = count;
	for (uint32_t id = 1; id < kernel->options.next_hops; id++)
		if (kernel->wanted_hops[id].valid)
			publish_hop(kernel, id, time_ns);
	pthread_mutex_unlock(&kernel->hops_lock);
}

uint64_t kernel_settle(struct kernel *kernel, uint64_t now)
{
	uint64_t next_ns;

	if (kernel_is_null(kernel))
		return 0;
	pthread_mutex_lock(&kernel->hops_lock);
	next_ns = next_hops_settle(kernel->next_hops, now);
	pthread_mutex_unlock(&kernel->hops_lock);
	return next_ns;
}

/*
 * Where the program may redirect to. A packet that was taken in native mode leaves only through a
 * driver's XDP transmit function, which an interface in generic mode may not have; the kernel
 * would drop it without a word. So with modes mixed the generic ones are left out, and packets
 * towards them pass up.
 */
static bool is_target(const struct kernel *kernel, size_t i, bool any_native)
{
	return kernel->links[i].fd >= 0 &&
	       (!any_native || kernel->attachments[i].mode == KERNEL_MODE_NATIVE);
}

static bool is_any_target(const struct kernel *kernel, uint32_t ifindex, bool any_native)
{
	for (size_t i = 0; i < kernel->attachment_count; i++)
		if (kernel->links[i].ifindex == ifindex && is_target(kernel, i, any_native))
			return true;
	return false;
}

static void publish_devices(const struct kernel *kernel)
{
	int fd = bpf_map__fd(kernel->program->maps.devices);
	bool any_native = false;
	uint32_t ifindex, next;

	for (size_t i = 0; i < kernel->attachment_count; i++)
		any_native |= kernel->attachments[i].mode == KERNEL_MODE_NATIVE;
	for (int err = bpf_map_get_next_key(fd, NULL, &ifindex); !err; ifindex = next) {
		err = bpf_map_get_next_key(fd, &ifindex, &next);
		if (!is_any_target(kernel, ifindex, any_native))
			bpf_map_delete_elem(fd, &ifindex);
	}
	for (size_t i = 0; i < kernel->attachment_count; i++) {
		ifindex = kernel->links[i].ifindex;
		if (is_target(kernel, i, any_native) &&
		    bpf_map_update_elem(fd, &ifindex, &ifindex, BPF_ANY) < 0)
			log_warning("kernel: no redirects to interface=%s err=%m",
				    kernel->attachments[i].name);
	}
}

void publish_interfaces(struct kernel *kernel)
{
	unsigned int *carriers = calloc(MAX(kernel->attachment_count, 1UL), sizeof(*carriers));
	size_t count = 0;

	publish_devices(kernel);
	for (size_t i = 0; carriers && i < kernel->attachment_count; i++)
		if (kernel->links[i].fd >= 0)
			carriers[count++] = kernel->links[i].ifindex;
	/* Without memory there are no carriers and all hops are invalid, which is safe. */
	set_carriers(kernel, carriers, count);
}
