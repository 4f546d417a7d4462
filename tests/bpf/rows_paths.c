/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of XDP tests. See rows_paths.h.
 */
#include "rows_paths.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define LISTEN_PORT   3478
#define RELAY_A	      50001
#define RELAY_B	      50002
#define PEER_PORT     5000
#define CLIENT_A_PORT 40000
#define CLIENT_B_PORT 40001
#define CHANNEL_A     0x4001
#define CHANNEL_B     0x4abc
#define HOP_RIGHT     1
#define HOP_WRONG     2

/* Who is where, in either family. */
struct place {
	const char *ip4, *ip6;
	uint16_t port;
};

static const struct place client_a = {"198.51.100.7", "2001:db8:c::7", CLIENT_A_PORT};
static const struct place client_b = {"198.51.100.8", "2001:db8:c::8", CLIENT_B_PORT};
static const struct place server = {"192.0.2.1", "2001:db8::1", LISTEN_PORT};
static const struct place relay_a = {"192.0.2.1", "2001:db8::1", RELAY_A};
static const struct place relay_b = {"192.0.2.1", "2001:db8::1", RELAY_B};
static const struct place peer = {"203.0.113.9", "2001:db8:e::9", PEER_PORT};

static union flow_ip ip_of(const struct place *place, uint8_t family)
{
	union flow_ip ip = {};

	assert_int_equal(inet_pton(family == FLOW_IPV4 ? AF_INET : AF_INET6,
				   family == FLOW_IPV4 ? place->ip4 : place->ip6, &ip),
			 1);
	return ip;
}

static struct flow_leg leg(uint8_t family, const struct place *src, const struct place *dst,
			   enum flow_form form, uint16_t channel)
{
	return (struct flow_leg){
		.src = ip_of(src, family),
		.dst = ip_of(dst, family),
		.sport = htons(src->port),
		.dport = htons(dst->port),
		.channel = htons(channel),
		.family = family,
		.form = (uint8_t)form,
	};
}

static void set_flow(const struct rig *rig, struct path *path, enum path_flow which,
		     struct flow_leg in, struct flow_leg out, uint32_t next_hop)
{
	struct rig_flow *flow = &path->flows[which];

	*flow = rig_flow(rig, FLOW_IPV4, RIG_TO_PEER);
	flow->slot_number = flow->ref.slot = PATH_SLOT_FIRST + which;
	flow->ref.generation += which;
	flow->slot.generation = flow->ref.generation;
	flow->slot.in = flow->key = in;
	flow->slot.out = out;
	flow->slot.next_hop = next_hop;
	path->has[which] = true;
}

/* A channel has the peer's port, a permission all of them. */
static void set_down(const struct rig *rig, struct path *path, enum path_flow which,
		     struct flow_leg in, const struct place *client, uint16_t channel)
{
	struct flow_leg out = leg(path->to_family, &server, client, path->to,
				  path->to == FLOW_FORM_CHANNEL ? channel : 0);

	if (path->to == FLOW_FORM_INDICATION)
		in.sport = 0;
	set_flow(rig, path, which, in, out, HOP_RIGHT);
	path->flows[which].slot.from_self = path->to_allocation;
}

static void set_up(const struct rig *rig, struct path *path)
{
	const struct place *to = path->to_allocation ? &relay_b : &peer;
	const uint32_t hop = path->to_allocation ? FLOW_NEXT_HOP_SELF : HOP_RIGHT;
	const uint16_t send = path->relay_family == FLOW_IPV4 ? FLOW_SEND_IPV4 : FLOW_SEND_IPV6;
	struct flow_leg out = leg(path->relay_family, &relay_a, to, FLOW_FORM_UDP, 0);
	struct flow_leg back = leg(path->relay_family, to, &relay_a, FLOW_FORM_UDP, 0);
	struct flow_leg in = leg(path->from_family, &client_a, &server, path->from,
				 path->from == FLOW_FORM_CHANNEL ? CHANNEL_A : send);

	if (path->from == FLOW_FORM_CHANNEL) {
		set_flow(rig, path, PATH_FIRST, in, out, hop);
		return;
	}
	path->frame.message = (struct frame_message){
		.transaction_id = {1, 0x22, 3, 0x44, 5, 0x66, 7, 0x88, 9, 0xaa, 11, 0xcc},
		.peer = out.dst,
		.port = out.dport,
		.family = path->relay_family,
	};
	out.dst = (union flow_ip){};
	out.dport = 0;
	back.sport = 0;
	set_flow(rig, path, PATH_FIRST, in, out, HOP_WRONG);
	set_flow(rig, path, PATH_PERMISSION, back,
		 leg(path->from_family, &server, &client_a, FLOW_FORM_INDICATION, 0), HOP_WRONG);
	path->flows[PATH_PERMISSION].slot.peer_hop = hop;
}

static void set_arriving(struct path *path, const struct flow_leg *arriving)
{
	struct frame_message message = path->frame.message;

	path->frame = rig_arriving(&path->flows[PATH_FIRST]);
	path->frame.leg = *arriving;
	path->frame.message = message;
}

static void set_path(const struct rig *rig, struct path *path)
{
	const struct place *other = path->to_allocation ? &relay_a : &peer;
	struct flow_leg bare = leg(path->relay_family, other,
				   path->to_allocation ? &relay_b : &relay_a, FLOW_FORM_UDP, 0);

	if (path->from != FLOW_FORM_UDP)
		set_up(rig, path);
	if (path->to_allocation)
		set_down(rig, path, PATH_SECOND, bare, &client_b, CHANNEL_B);
	else if (path->from == FLOW_FORM_UDP)
		set_down(rig, path, PATH_FIRST, bare, &client_a, CHANNEL_A);
	set_arriving(path, path->from == FLOW_FORM_UDP ? &bare : &path->flows[PATH_FIRST].slot.in);
	path->shown = (struct frame_message){
		.kind = FRAME_DATA_INDICATION,
		.peer = bare.src,
		.port = bare.sport,
		.family = bare.family,
	};
}

static bool is_a_path(const struct path *path)
{
	if (path->to_allocation)
		return path->from != FLOW_FORM_UDP && path->to != FLOW_FORM_UDP;
	if (path->from == FLOW_FORM_UDP)
		return path->to != FLOW_FORM_UDP && path->relay_family == path->from_family;
	return path->to == FLOW_FORM_UDP && path->relay_family == path->to_family;
}

static void name_path(struct rig *rig, const struct path *path)
{
	static const char *const forms[] = {"bare", "ChannelData", "indication"};

	snprintf(rig->doing, sizeof(rig->doing), "IPv%d %s to IPv%d %s by %s of IPv%d",
		 path->from_family, forms[path->from], path->to_family, forms[path->to],
		 path->to_allocation ? "two relayed addresses" : "a relayed address",
		 path->relay_family);
}

void paths_for_each(struct rig *rig, void (*check)(struct rig *rig, struct path *path))
{
	for (unsigned int i = 0; i < 3 * 3 * 2 * 2 * 2 * 2; i++) {
		struct path path = {
			.from = i % 3,
			.to = i / 3 % 3,
			.from_family = i / 9 % 2 ? FLOW_IPV6 : FLOW_IPV4,
			.to_family = i / 18 % 2 ? FLOW_IPV6 : FLOW_IPV4,
			.relay_family = i / 36 % 2 ? FLOW_IPV6 : FLOW_IPV4,
			.to_allocation = i / 72 % 2,
		};

		if (!is_a_path(&path))
			continue;
		set_path(rig, &path);
		name_path(rig, &path);
		check(rig, &path);
	}
}

struct rig_flow *path_last(struct path *path)
{
	return &path->flows[path->to_allocation ? PATH_SECOND : PATH_FIRST];
}

struct rig_flow *path_hop_flow(struct path *path)
{
	if (!path->to_allocation && path->from == FLOW_FORM_INDICATION)
		return &path->flows[PATH_PERMISSION];
	return path_last(path);
}

enum flow_verdict path_verdict(const struct path *path)
{
	if (path->to_allocation)
		return FLOW_VERDICT_TO_ALLOCATION;
	return path->to == FLOW_FORM_UDP ? FLOW_VERDICT_TO_PEER : FLOW_VERDICT_TO_CLIENT;
}

uint32_t path_slots(const struct path *path)
{
	return 1U << PATH_SLOT_FIRST |
	       (path->to_allocation ? 1U << (PATH_SLOT_FIRST + PATH_SECOND) : 0);
}

size_t path_growth(const struct path *path, size_t size)
{
	if (path->to == FLOW_FORM_UDP)
		return 0;
	if (path->to == FLOW_FORM_CHANNEL)
		return 4;
	return (path->relay_family == FLOW_IPV4 ? 36 : 48) + (4 - size % 4) % 4;
}

size_t path_ip_len(const struct path *path, size_t size)
{
	return (path->to_family == FLOW_IPV4 ? 28 : 48) + path_growth(path, size) + size;
}

static void put_hop(struct rig *rig, uint32_t id, const struct flow_next_hop *hop)
{
	const struct rig_flow no_flow = {
		.absent = true,
		.slot_number = RIG_SLOTS,
		.slot.next_hop = id,
		.hop = *hop,
	};

	rig_add(rig, &no_flow);
}

void path_install(struct rig *rig, struct path *path)
{
	struct rig_flow wrong = rig_flow(rig, FLOW_IPV4, RIG_TO_CLIENT);

	rig_clear(rig);
	for (size_t i = 0; i < PATH_FLOWS; i++)
		if (path->has[i])
			rig_add(rig, &path->flows[i]);
	put_hop(rig, HOP_RIGHT, &path_hop_flow(path)->hop);
	put_hop(rig, HOP_WRONG, &wrong.hop);
}

/* RFC 7915 5.1. */
static bool may_not_be_fragmented(const struct path *path, const struct frame *arriving)
{
	return path->from_family == FLOW_IPV4 ? arriving->dont_fragment
					      : path_ip_len(path, arriving->size) > 1260;
}

static enum frame_sum sum_leaving(const struct path *path, const struct frame *arriving)
{
	if (arriving->sum == FRAME_SUM_PSEUDO ||
	    (arriving->sum == FRAME_SUM_NONE && path->to_family == FLOW_IPV6))
		return FRAME_SUM_GOOD;
	return arriving->sum;
}

struct frame path_leaving(struct path *path, const struct frame *arriving,
			  const struct rig_result *result)
{
	struct rig_flow flow = *path_last(path);
	const struct flow_next_hop_entry *hop =
		&path_hop_flow(path)->hop.entry[path_hop_flow(path)->hop.active & 1];
	struct frame leaving;

	flow.hop = path_hop_flow(path)->hop;
	if (path->to == FLOW_FORM_UDP && path->from == FLOW_FORM_INDICATION) {
		flow.slot.out.dst = arriving->message.peer;
		flow.slot.out.dport = arriving->message.port;
	}
	leaving = rig_leaving(&flow, arriving);
	leaving.tags = hop->tags;
	memcpy(leaving.tag, hop->tag, sizeof(hop->tag));
	leaving.sum = sum_leaving(path, arriving);
	leaving.dont_fragment = may_not_be_fragmented(path, arriving);
	leaving.message = path->shown;
	if (path->to == FLOW_FORM_INDICATION)
		memcpy(leaving.message.transaction_id,
		       result->bytes + frame_offset(&leaving, FRAME_PAYLOAD) + 8, 12);
	if (path->to_family == FLOW_IPV4 && !leaving.dont_fragment)
		leaving.id = frame_get16(result->bytes + frame_offset(&leaving, FRAME_IP) + 4);
	return leaving;
}

static void compare(const struct rig *rig, const struct rig_result *result, const uint8_t *bytes,
		    size_t len)
{
	size_t at = 0;

	if (result->len != len)
		fail_msg("%s: %zu bytes came out, expected %zu", rig->doing, result->len, len);
	while (at < len && result->bytes[at] == bytes[at])
		at++;
	if (at < len)
		fail_msg("%s: byte %zu of %zu is 0x%02x, expected 0x%02x", rig->doing, at, len,
			 result->bytes[at], bytes[at]);
}

void path_run(struct rig *rig, struct path *path, enum flow_verdict verdict)
{
	static struct rig_result result;
	static uint8_t in[FRAME_MAX], out[FRAME_MAX];
	const enum flow_verdict_kind kind = rig_verdict_kind(verdict);
	const uint32_t action = kind == FLOW_KIND_CARRIED   ? XDP_TX
				: kind == FLOW_KIND_DROPPED ? XDP_DROP
							    : XDP_PASS;
	struct frame leaving = path->frame;

	rig_run(rig, in, frame_build(&path->frame, in), 1, &result);
	if (result.action != action)
		fail_msg("%s: action %u, expected %u", rig->doing, result.action, action);
	if (kind == FLOW_KIND_CARRIED)
		leaving = path_leaving(path, &path->frame, &result);
	compare(rig, &result, out, frame_build(&leaving, out));
}

void path_check(struct rig *rig, struct path *path, enum flow_verdict verdict)
{
	static uint8_t bytes[FRAME_MAX];
	const bool carried = rig_verdict_kind(verdict) == FLOW_KIND_CARRIED;

	path_install(rig, path);
	path_run(rig, path, verdict);
	rig_check_stats(rig, verdict, 1, frame_build(&path->frame, bytes));
	rig_check_traffics(rig, carried ? path_slots(path) : 0, 1, path->frame.size);
}
