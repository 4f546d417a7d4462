/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flows of `bare`. See bare_flow.h. Owns the arithmetic of its checksums: RFC 1624, on words
 * as they lie in memory.
 */
#include "bare_flow.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>

#include "bench.h"

#define CHANNEL_HEADER 4

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint64_t sum_of(const struct addr *a)
{
	uint64_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < addr_ip_len(a); i += sizeof(word)) {
		memcpy(&word, a->ip + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static uint16_t negative(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

/* The packet becomes longer or shorter by a ChannelData header. */
static uint16_t length_sum(const struct flow_spec *spec)
{
	return spec->out.channel ? htons(CHANNEL_HEADER) : negative(htons(CHANNEL_HEADER));
}

static struct bare_flow make_value(const struct flow_spec *spec, uint32_t ifindex)
{
	uint64_t before = sum_of(&spec->in.src) + sum_of(&spec->in.dst);
	uint64_t after = sum_of(&spec->out.src) + sum_of(&spec->out.dst);
	uint64_t ports_before = (uint64_t)htons(spec->in.src.port) + htons(spec->in.dst.port);
	uint64_t ports_after = (uint64_t)htons(spec->out.src.port) + htons(spec->out.dst.port);
	struct bare_flow flow = {
		.sport = htons(spec->out.src.port),
		.dport = htons(spec->out.dst.port),
		.channel = htons(spec->out.channel),
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_mac = {2, 0, 0, 0, 0, 1},
		.ifindex = ifindex,
	};

	/* The UDP length is in the pseudo-header and in the header. */
	flow.ip_sum = fold((uint64_t)after + negative(before) + length_sum(spec));
	flow.udp_sum = fold(after + ports_after + negative(before + ports_before) +
			    2ULL * length_sum(spec) + htons(spec->out.channel) +
			    negative(htons(spec->in.channel)));
	memcpy(&flow.src, spec->out.src.ip, addr_ip_len(&spec->out.src));
	memcpy(&flow.dst, spec->out.dst.ip, addr_ip_len(&spec->out.dst));
	return flow;
}

static int add4(const struct bench_bpf *bench, const struct flow_spec *spec,
		const struct bare_flow *value)
{
	struct flow_key4 key = {.sport = htons(spec->in.src.port),
				.dport = htons(spec->in.dst.port),
				.channel = htons(spec->in.channel)};

	memcpy(&key.src, spec->in.src.ip, sizeof(key.src));
	memcpy(&key.dst, spec->in.dst.ip, sizeof(key.dst));
	return bpf_map_update_elem(bpf_map__fd(bench->maps.bare_flows4), &key, value, BPF_ANY);
}

static int add6(const struct bench_bpf *bench, const struct flow_spec *spec,
		const struct bare_flow *value)
{
	struct flow_key6 key = {.sport = htons(spec->in.src.port),
				.dport = htons(spec->in.dst.port),
				.channel = htons(spec->in.channel)};

	memcpy(key.src, spec->in.src.ip, sizeof(key.src));
	memcpy(key.dst, spec->in.dst.ip, sizeof(key.dst));
	return bpf_map_update_elem(bpf_map__fd(bench->maps.bare_flows6), &key, value, BPF_ANY);
}

int bare_flow_add(const struct bench_bpf *bench, const struct flow_spec *spec, uint32_t ifindex)
{
	struct bare_flow value;

	if (spec->role != FLOW_ROLE_CHANNEL || spec->next_hop == FLOW_NEXT_HOP_SELF ||
	    spec->in.src.family != spec->out.src.family)
		return 0;
	value = make_value(spec, ifindex);
	return spec->in.src.family == ADDR_IPV4 ? add4(bench, spec, &value)
						: add6(bench, spec, &value);
}
