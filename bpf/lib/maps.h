/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of include/turnpike/flow.h, typed so that bpftool prints them by name. Owns their
 * definitions only. The sizes here are placeholders: the daemon sets flows4, flows6, slots,
 * traffic, nexthops, devices and owned from its configuration before it loads the program.
 *
 * All are preallocated. One flow (one direction of one channel) costs 128 bytes in slots, some 94
 * in flows4 and 118 in flows6 (both are sized for all slots, buckets included), and in traffic 8
 * and 16 for each possible CPU: about 350 bytes and 16 per CPU, measured on 6.18.
 */
#ifndef TURNPIKE_BPF_MAPS_H
#define TURNPIKE_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "turnpike/flow.h"

#define MAPS_PLACEHOLDER_SIZE 64

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAPS_PLACEHOLDER_SIZE);
	__type(key, struct flow_key4);
	__type(value, struct flow_ref);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
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

#endif
