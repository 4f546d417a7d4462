/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of include/turnpike/flow.h, typed so that bpftool prints them by name. Owns their
 * definitions only. The sizes here are placeholders: the daemon sets flows4, flows6, slots,
 * traffic, nexthops, devices, buckets and owned from its configuration before it loads the program.
 *
 * One flow (one direction of one channel, a sender, a permission) costs 128 bytes in slots and in
 * traffic 8 and 16 for each possible CPU, both preallocated; and when it is installed, an entry in
 * flows4 or flows6. Those two are not preallocated: each would need room for all slots, and a
 * relay rarely has as many of either family. Their entries come and go by the daemon's hand only.
 */
#ifndef TURNPIKE_BPF_MAPS_H
#define TURNPIKE_BPF_MAPS_H

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "turnpike/flow.h"

#define MAPS_PLACEHOLDER_SIZE 64

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, struct flow_key4);
	__type(value, struct flow_ref);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, struct flow_key6);
	__type(value, struct flow_ref);
} flows6 SEC(".maps");

/* Mapped into the daemon, so that expiry and next hop change by one store without a system call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, __u32);
	__type(value, struct flow_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, __u32);
	__type(value, struct flow_counter);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, __u32);
	__type(value, struct flow_next_hop);
} nexthops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

/* Mapped into the daemon, which sets the rates; what it relays itself it limits on its own. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, struct flow_own_key);
	__type(value, struct flow_own);
} owned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_about);
} about SEC(".maps");

/*
 * Set by the daemon before it attaches generically anywhere. In generic mode a local sender's
 * packet is a socket buffer that remembers where a device was to finish its checksum, and that it
 * may be several datagrams; neither can be told or corrected from here, so it is passed up.
 */
volatile bool generic;

#endif
