/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The map ABI: what the daemon writes and the XDP program reads, what the program counts and the
 * daemon, turnpikectl and bpftool read. One header for all of them. Widths and padding are
 * explicit, because keys compare padding bytes; sizes are asserted on both sides.
 *
 * A flow is one direction of one channel. An index (flows4, flows6) maps the flow's key to a slot
 * number and the slot's generation; everything else is in the slot. The program checks key and
 * generation again after reading the slot: a BPF hash map may hand out another key's value while
 * it is being updated. Slots are reused only after a grace time, with a new generation.
 *
 *   map       type         key               value             who writes
 *   flows4    hash         struct flow_key4  struct flow_ref   daemon
 *   flows6    hash         struct flow_key6  struct flow_ref   daemon
 *   slots     array, mmap  slot number       struct flow_slot  daemon
 *   traffic   per-CPU arr. slot number       struct flow_counter  program (carried packets only)
 *   nexthops  array, mmap  next hop id       struct flow_next_hop daemon
 *   devices   devmap hash  ifindex           ifindex           daemon
 *   buckets   array, mmap  bucket number     struct flow_bucket daemon (rates), program (state)
 *   owned     hash         struct flow_own_key struct flow_own daemon
 *   stats     per-CPU arr. 0                 struct flow_stats program
 *   about     array        0                 struct flow_about daemon
 */
#ifndef TURNPIKE_FLOW_H
#define TURNPIKE_FLOW_H

#include <linux/types.h>

#define FLOW_ABI_VERSION 2

/*
 * What became of a packet. X(constant, name, kind, meaning); kind is CARRIED (relayed in the
 * kernel), PASSED (to the daemon or the rest of the host's stack) or DROPPED.
 */
#define FLOW_VERDICTS(X)                                                                        \
	X(TO_PEER, to_peer, CARRIED, "the client's data relayed to the peer")                   \
	X(TO_CLIENT, to_client, CARRIED, "peer data relayed to the client")                     \
	X(TO_ALLOCATION, to_allocation, CARRIED, "relayed to another allocation's client")      \
	X(NOT_IP, not_ip, PASSED, "neither IPv4 nor IPv6 behind at most two VLAN tags")         \
	X(NOT_UNICAST, not_unicast, PASSED, "a broadcast or multicast frame")                   \
	X(NOT_UDP, not_udp, PASSED, "another protocol than UDP")                                \
	X(IP_OPTIONS, ip_options, PASSED, "IPv4 header with options")                           \
	X(EXTENSION_HEADER, extension_header, PASSED, "IPv6 extension header")                  \
	X(FRAGMENT, fragment, PASSED, "a fragment: the host reassembles it")                    \
	X(BAD_LENGTH, bad_length, PASSED, "lengths of frame, IP, UDP or message disagree")      \
	X(BAD_CHECKSUM, bad_checksum, PASSED, "wrong in the IPv4 header, or missing over IPv6") \
	X(NOT_OWNED, not_owned, PASSED, "an address or port that is not the relay's")           \
	X(CONTROL, control, PASSED, "a STUN message for the daemon")                            \
	X(OTHER_ATTRIBUTES, other_attributes, PASSED,                                           \
	  "a Send indication that is not one address, data and at most a FINGERPRINT")          \
	X(NO_FLOW, no_flow, PASSED, "no flow installed for this channel or peer")               \
	X(NO_PERMISSION, no_permission, PASSED, "a Send indication to a peer without one")      \
	X(FORGED_SOURCE, forged_source, PASSED, "off the wire, from an address of the relay")   \
	X(STALE_SLOT, stale_slot, PASSED, "the slot changed while it was looked up")            \
	X(EXPIRED, expired, PASSED, "the channel's or permission's time is over")               \
	X(UNSUPPORTED, unsupported, PASSED, "the flow needs a conversion only the daemon does") \
	X(UNFINISHED, unfinished, PASSED, "a local sender's checksum, in generic mode")         \
	X(TTL, ttl, PASSED, "TTL or hop limit used up")                                         \
	X(NO_NEXT_HOP, no_next_hop, PASSED, "the next hop is not resolved")                     \
	X(NO_DEVICE, no_device, PASSED, "the next hop's interface is not one of the relay's")   \
	X(MTU, mtu, PASSED, "the packet would outgrow the egress MTU")                          \
	X(HEADROOM, headroom, PASSED, "the driver left no room to move the header")             \
	X(TAILROOM, tailroom, PASSED, "the driver left no room for padding behind the data")    \
	X(OVER_BANDWIDTH, over_bandwidth, DROPPED, "more than the allocation's bandwidth")

enum flow_verdict {
#define X(constant, name, kind, meaning) FLOW_VERDICT_##constant,
	FLOW_VERDICTS(X)
#undef X
	FLOW_VERDICT_MAX,
};

enum flow_verdict_kind {
	FLOW_KIND_CARRIED,
	FLOW_KIND_PASSED,
	FLOW_KIND_DROPPED,
};

/*
 * In `stats`, bytes are whole frames as they arrived, Ethernet header and trailer included. In
 * `traffic`, they are bytes of application data, what the daemon counts for the same channel: no
 * header, no ChannelData header, no padding.
 */
struct flow_counter {
	__u64 packets;
	__u64 bytes;
};

/* One record per verdict, each by its name, in the order of enum flow_verdict. */
struct flow_stats {
#define X(constant, name, kind, meaning) struct flow_counter name;
	FLOW_VERDICTS(X)
#undef X
};

/* How application data stands on a leg. */
enum flow_form {
	FLOW_FORM_UDP,	      /* bare, on the peer's side */
	FLOW_FORM_CHANNEL,    /* behind a ChannelData header, on the client's side */
	FLOW_FORM_INDICATION, /* in a Send or Data indication, on the client's side */
};

enum flow_family {
	FLOW_IPV4 = 4,
	FLOW_IPV6 = 6,
};

/*
 * What arrives is looked up under its addresses and ports and, in `channel`, how it came:
 *
 *   from a client  ChannelData       its channel number
 *                  Send indication   FLOW_SEND_IPV4 or FLOW_SEND_IPV6, the family of the peer that
 *                                    it names; then the permission of that peer
 *   from a peer    UDP               0; without such an entry, a permission: source port 0 too
 *
 * So there are four kinds of slots. Channel up: ChannelData to one peer. Channel down: one peer's
 * data to the channel. Sender: a client's Send indications for one family; its out leg has the
 * relayed address as source and no destination. Permission: all of one peer IP's ports, to the
 * client as Data indications, and whether and by which hop a Send indication may go there. Such an
 * entry has the addresses as they are on the wire: no other form of them is looked for.
 */
#define FLOW_SEND_IPV4 1
#define FLOW_SEND_IPV6 2

struct flow_key4 {
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
	__be16 channel;
	__u16 zero;
};

struct flow_key6 {
	__u8 src[16];
	__u8 dst[16];
	__be16 sport;
	__be16 dport;
	__be16 channel;
	__u16 zero;
};

struct flow_ref {
	__u32 slot;
	__u32 generation; /* never 0 */
};

/* IPv4 in the first four bytes, the others 0. */
union flow_ip {
	__be32 v4;
	__u8 v6[16];
	__be32 words[4];
};

/* One leg of a flow: what a packet on it looks like. */
struct flow_leg {
	union flow_ip src;
	union flow_ip dst;
	__be16 sport;
	__be16 dport;
	__be16 channel; /* as in the keys; 0 where an out leg has none */
	__u8 family;	/* enum flow_family */
	__u8 form;	/* enum flow_form */
};

/*
 * Towards another allocation of this relay: the packet does not leave, it is looked up again as
 * the data that the other relayed address would have received.
 */
#define FLOW_NEXT_HOP_SELF 0xffffffffU

/*
 * Two cache lines. The daemon writes a slot whole while its generation is 0 (free), the
 * generation last; afterwards it changes only expires_ns and the hops, each by one aligned store.
 */
struct flow_slot {
	__u32 generation;
	__u32 next_hop;	  /* id in nexthops for the out leg, 0 for none yet */
	__u64 expires_ns; /* CLOCK_MONOTONIC; at or past it the flow is a miss */
	struct flow_leg in;
	struct flow_leg out;
	__u32 allocation; /* the daemon's number of the allocation, for people who dump maps */
	__u32 worker;
	__u32 peer_hop; /* of a permission: the hop towards the peer; else 0 */
	__u32 bucket;	/* in buckets; 0: no limit of bandwidth */
	/*
	 * The peer is another allocation of this relay: only what FLOW_NEXT_HOP_SELF sends here
	 * comes from it. A packet off the wire with such a source is forged.
	 */
	__u32 from_self;
	__u32 zero[3];
};

/*
 * The bandwidth of one allocation, each way for itself: a generic cell rate algorithm whose only
 * state is the time at which the data sent so far would be paid off. Data is let through unless
 * that time is more than the burst ahead of now, and then costs its share of ns_per_kib. Updated by
 * compare and swap; bytes are application data. A packet between two allocations pays in both.
 */
struct flow_bucket {
	__u64 to_peer_ns;   /* CLOCK_MONOTONIC; written by the program */
	__u64 to_client_ns; /* the same */
	__u32 ns_per_kib;   /* what 1024 bytes cost; 0: no limit */
	__u32 burst_ms;	    /* how far ahead of its time data may come */
};

#define FLOW_TAGS_MAX 2

/* A VLAN tag to put behind the MAC addresses, the outer one first. */
struct flow_tag {
	__be16 protocol; /* 0x8100 or 0x88a8 */
	__be16 tci;
};

struct flow_next_hop_entry {
	__u32 ifindex; /* of the device that transmits: below its VLANs */
	__u16 mtu;     /* of the egress device or route: IP header and above */
	__u8 valid;    /* 0: pass up, so that the host resolves it */
	__u8 tags;
	__u8 src_mac[6];
	__u8 dst_mac[6];
	struct flow_tag tag[FLOW_TAGS_MAX];
};

/*
 * One cache line. A change is written into the entry that is not active, then `active` flips by
 * one store: no reader sees half of it. The writer leaves at least FLOW_GRACE_NS between two
 * changes of the same hop; only `valid` of the active entry may be cleared or set in place, by one
 * store.
 */
struct flow_next_hop {
	__u32 active; /* 0 or 1 */
	__u32 zero;
	struct flow_next_hop_entry entry[2];
};

/* No program run that began before a slot or hop was retired lasts this long. */
#define FLOW_GRACE_NS 100000000ULL

struct flow_own_key {
	union flow_ip ip;
	__u32 family;
};

#define FLOW_LISTEN_PORTS 4

/* Ports of an own address: the listeners', and the range that allocations get theirs from. */
struct flow_own {
	__u16 listen_ports[FLOW_LISTEN_PORTS]; /* host order; 0: none */
	__u16 relay_first;		       /* host order; 0: none */
	__u16 relay_last;
};

struct flow_about {
	__u32 abi_version;
	__u32 slots;
	__u32 nexthops;
	__u32 workers;
};

_Static_assert(sizeof(struct flow_counter) == 16, "map ABI");
_Static_assert(sizeof(struct flow_stats) == 16 * FLOW_VERDICT_MAX, "map ABI");
_Static_assert(sizeof(struct flow_key4) == 16, "map ABI");
_Static_assert(sizeof(struct flow_key6) == 40, "map ABI");
_Static_assert(sizeof(struct flow_ref) == 8, "map ABI");
_Static_assert(sizeof(struct flow_leg) == 40, "map ABI");
_Static_assert(sizeof(struct flow_slot) == 128, "map ABI");
_Static_assert(sizeof(struct flow_bucket) == 24, "map ABI");
_Static_assert(sizeof(struct flow_next_hop_entry) == 28, "map ABI");
_Static_assert(sizeof(struct flow_next_hop) == 64, "map ABI");
_Static_assert(sizeof(struct flow_own_key) == 20, "map ABI");
_Static_assert(sizeof(struct flow_own) == 12, "map ABI");

#endif
