/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules. See twin_judge.h. Every sum is computed from scratch; nothing is shared with the
 * program but the names of its verdicts.
 */
#include "twin_judge.h"

#include <linux/bpf.h>

#include "base/macros.h"
#include "rig.h"
#include "turnpike/wire.h"
#include "twin_flows.h"

#define INDICATION_HEADER 24 /* up to the value of the first attribute */

/* What goes out, IP header included, as the daemon sends it. */
static size_t ip_len_out(const struct twin_outcome *daemon)
{
	return (daemon->dst.family == ADDR_IPV4 ? 20 : 40) + 8 + daemon->len;
}

bool twin_eligible(struct twin_world *world, const struct twin_packet *packet,
		   const struct twin_outcome *daemon)
{
	struct twin_route route;

	/* Two tags at most, no options, extensions, fragments, lies or wrong sums; TTL above 1. */
	if (packet->damaged || daemon->spoofed || daemon->host != TWIN_HOST_DELIVERED ||
	    !twin_shape_is_plain(&packet->shape, packet->src.family))
		return false;
	/* A Send indication has its two attributes and at most a FINGERPRINT. */
	if (!packet->common)
		return false;
	/* Everything that the maps have live flows for, to a next hop that is resolved... */
	if (!twin_flows_route(world, daemon, &route) || route.hop == TWIN_HOP_NONE ||
	    route.hop > TWIN_HOP_RESOLVED)
		return false;
	/* ...and that fits. */
	return ip_len_out(daemon) <= world->kernel->hops[route.hop].mtu;
}

/* By the MAC addresses, which name the hop; NULL if they are nobody's. */
static const struct net_hop *hop_of(const struct twin_world *world, const uint8_t *frame)
{
	for (size_t i = 1; i <= TWIN_HOP_RESOLVED; i++) {
		const struct net_hop *hop = &world->kernel->hops[i];

		if (memcmp(frame, hop->dst_mac, 6) == 0 && memcmp(frame + 6, hop->src_mac, 6) == 0)
			return hop;
	}
	return NULL;
}

static bool is_data_indication(struct span payload)
{
	static const uint8_t start[] = {0, 0x17}, cookie[] = {0x21, 0x12, 0xa4, 0x42};

	return payload.len >= INDICATION_HEADER &&
	       memcmp(payload.data, start, sizeof(start)) == 0 &&
	       memcmp(payload.data + 4, cookie, sizeof(cookie)) == 0;
}

/* RFC 8489 6: each indication has a transaction id of its own. */
static bool reuses_id(struct twin_world *world, const struct twin_outcome *daemon, struct span sent)
{
	bool same;

	if (!daemon->to_client || !is_data_indication(sent))
		return false;
	same = memcmp(world->indication_id, sent.data + 8, sizeof(world->indication_id)) == 0;
	memcpy(world->indication_id, sent.data + 8, sizeof(world->indication_id));
	return same;
}

/*
 * A Data indication has a transaction id of its own, which also hides the last 12 bytes of an
 * IPv6 address (RFC 8489 14.2): both are taken out before bytes are compared.
 */
static void normalise(uint8_t *payload, size_t len)
{
	uint8_t *id = payload + 8, *address = payload + INDICATION_HEADER + 8;

	if (!is_data_indication(span_make(payload, len)))
		return;
	if (payload[21] == STUN_ATTR_XOR_PEER_ADDRESS && payload[25] == STUN_FAMILY_IPV6 &&
	    len >= INDICATION_HEADER + 20)
		for (size_t i = 0; i < STUN_TRANSACTION_ID_LEN; i++)
			address[i] ^= id[i];
	memset(id, 0, STUN_TRANSACTION_ID_LEN);
}

static bool same_payload(const struct twin_outcome *daemon, struct span sent)
{
	uint8_t ours[sizeof(daemon->payload)], theirs[sizeof(daemon->payload)];

	if (sent.len != daemon->len)
		return false;
	if (sent.len == 0)
		return true;
	memcpy(ours, sent.data, sent.len);
	memcpy(theirs, daemon->payload, sent.len);
	if (daemon->to_client) {
		normalise(ours, sent.len);
		normalise(theirs, sent.len);
	}
	return memcmp(ours, theirs, sent.len) == 0;
}

/* RFC 8656 13.3, RFC 7915 5.1: from IPv6, what no router would fragment there. */
static bool wants_dont_fragment(const struct twin_datagram *in, const struct twin_datagram *out)
{
	return in->src.family == ADDR_IPV4 ? in->dont_fragment : out->ip_len > 1260;
}

/* RFC 8656 13 to 15: one hop less, traffic class as it came, DF as it came between IPv4. */
static const char *judge_header(const struct twin_datagram *in, const struct twin_datagram *out,
				size_t frame_len)
{
	if (out->end != frame_len)
		return "the frame that was sent has a trailer";
	if (out->header_len != (out->src.family == ADDR_IPV4 ? 20 : 40))
		return "the frame that was sent has options or extensions";
	if (in->ttl <= 1 || out->ttl != in->ttl - 1)
		return "TTL or hop limit is not one less";
	if (out->traffic_class != in->traffic_class)
		return "the traffic class changed";
	if (out->src.family == ADDR_IPV4 && out->dont_fragment != wants_dont_fragment(in, out))
		return "DF is not what the rules say";
	if (out->flow_label)
		return "the flow label is somebody else's";
	return NULL;
}

/* A datagram without a checksum stays so over IPv4; all others leave with one that is whole. */
static const char *judge_sum(const struct twin_datagram *in, const struct twin_datagram *out)
{
	if (out->no_sum && !in->no_sum)
		return "the UDP checksum got lost";
	if (in->no_sum && out->src.family == ADDR_IPV4 && !out->no_sum)
		return "a UDP checksum came from nowhere";
	return NULL;
}

static bool has_tags_of(const struct net_hop *hop, const struct twin_datagram *out,
			const uint8_t *frame)
{
	const uint8_t *at = frame + 12;

	for (int i = 0; i < hop->tags; i++, at += 4)
		if ((at[0] << 8 | at[1]) != hop->tag[i].protocol ||
		    (at[2] << 8 | at[3]) != hop->tag[i].tci)
			return false;
	return out->tags == hop->tags;
}

static const char *judge_way(const struct twin_world *world, const struct twin_result *result,
			     const struct twin_datagram *out)
{
	const struct net_hop *hop = hop_of(world, result->frame);

	if (!hop)
		return "the MAC addresses are no next hop's";
	if ((result->action == XDP_TX) != (hop->ifindex == world->kernel->ingress))
		return "sent through the wrong interface";
	if (!has_tags_of(hop, out, result->frame))
		return "the VLAN tags are not the next hop's";
	if (out->ip_len > hop->mtu)
		return "sent although it outgrew the MTU";
	return NULL;
}

static const char *judge_carried(struct twin_world *world, const struct twin_result *result,
				 const struct twin_outcome *daemon)
{
	struct twin_datagram out;
	enum twin_host_verdict receiver = twin_host_read(span_make(result->frame, result->len),
							 &out);
	const char *wrong;

	/* Of a packet from the wire, no stack takes the pseudo-header's sum for the checksum. */
	if (receiver == TWIN_HOST_DELIVERED && out.partial)
		receiver = TWIN_HOST_BAD_SUM;
	if (!daemon->relayed)
		return "carried what the daemon would not have sent";
	/* A wrong checksum stays wrong, and the receiver drops it instead of our host. */
	if (daemon->host == TWIN_HOST_BAD_SUM && receiver == TWIN_HOST_DELIVERED)
		return "a wrong checksum came out right";
	if (daemon->host == TWIN_HOST_DELIVERED && receiver != TWIN_HOST_DELIVERED)
		return "the receiver would drop what was sent";
	if (receiver != TWIN_HOST_DELIVERED && receiver != TWIN_HOST_BAD_SUM)
		return "what was sent is no UDP datagram";
	if (!addr_equal(&out.src, &daemon->src) || !addr_equal(&out.dst, &daemon->dst))
		return "sent from or to another address than the daemon would have";
	if (!same_payload(daemon, out.payload))
		return "sent other bytes than the daemon would have";
	if (reuses_id(world, daemon, out.payload))
		return "a Data indication has the transaction id of the one before";
	wrong = judge_sum(&daemon->in, &out);
	if (!wrong)
		wrong = judge_header(&daemon->in, &out, result->len);
	return wrong ? wrong : judge_way(world, result, &out);
}

static enum flow_verdict_kind kind_of(uint32_t action)
{
	if (action == XDP_PASS)
		return FLOW_KIND_PASSED;
	return action == XDP_DROP ? FLOW_KIND_DROPPED : FLOW_KIND_CARRIED;
}

const char *twin_judge(struct twin_world *world, const struct twin_packet *packet,
		       const struct twin_result *result, const struct twin_outcome *daemon)
{
	if (kind_of(result->action) != rig_verdict_kind(result->verdict))
		return "counted as something else than was done";
	switch (result->action) {
	case XDP_TX:
	case XDP_REDIRECT:
		return judge_carried(world, result, daemon);
	case XDP_DROP:
		/* The daemon is not limited here: both would have to see the same packets. */
		if (result->verdict == FLOW_VERDICT_OVER_BANDWIDTH && world->limited)
			return NULL;
		return daemon->relayed && daemon->host == TWIN_HOST_DELIVERED
			       ? "dropped what the daemon would have sent"
			       : NULL;
	case XDP_PASS:
		if (result->len != packet->len ||
		    memcmp(result->frame, packet->frame, packet->len) != 0)
			return "passed up, but not as it came";
		if (twin_eligible(world, packet, daemon))
			return "left to the daemon what the kernel path should carry";
		return NULL;
	default:
		return "neither passed, sent nor dropped";
	}
}
