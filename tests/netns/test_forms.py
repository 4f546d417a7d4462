# SPDX-License-Identifier: BSD-2-Clause
"""
Every byte of what a client that says exactly what it sends gets through the relay, with the kernel
path and without: the same answers from both.
"""

import os
import select
import socket

from lib import calls
from lib.case import add, check, equal
from lib.relay import Relay
from lib.stun import DATA, DATA_ATTR, XOR_PEER, Client, Endpoint, Message
from lib.topology import SHAPES, TwoInterfaces

MODES = ("native", "generic", "off")
CHANNEL = 0x4001
SO_NO_CHECK = 11


class Call:
    """A client with a channel to a peer, both ends of it tried once."""

    def __init__(self, bench, mode, family=4, peer_family=None, shape=TwoInterfaces, **network):
        # In generic mode the program leaves unfinished checksums, as senders on the same host leave
        # them, to the daemon.
        network.setdefault("offload", mode != "generic")
        self.topology = shape(bench, **network)
        self.relay = Relay(self.topology, kernel={"mode": mode}).start()
        self.client = Client(self.topology, family)
        peer_family = peer_family or family
        self.mixed = peer_family != family
        self.peer = Endpoint(self.topology.peer_ns, self.topology.peer[peer_family])
        self.relayed = self.client.allocate(peer_family)
        self.client.bind(CHANNEL, self.peer.address)
        self.warm_up(mode)
        self.carried_before = self.carried()

    def warm_up(self, mode):
        """The first packets may find neighbours unresolved, and then go by the daemon."""
        before = self.carried()
        for _ in range(1000):
            self.up(b"up")
            self.down(b"down")
            if mode == "off" or self.mixed:
                return
            if all(now > then for now, then in zip(self.carried(), before)):
                return
        check(False, "the kernel does not carry the channel")

    def up(self, payload, padding=b""):
        self.client.send_channel(CHANNEL, payload, padding)
        data, sender = self.peer.expect(f"{len(payload)} bytes to the peer")
        equal(data.hex(), payload.hex(), f"{len(payload)} bytes to the peer")
        equal(sender, self.relayed, "sender, as the peer sees it")

    def down(self, payload):
        self.peer.send(payload, self.relayed)
        self.client.expect_channel(CHANNEL, payload, f"{len(payload)} bytes to the client")

    def carried(self):
        counters = self.relay.kernel_counters()
        return counters.get("to_peer", 0), counters.get("to_client", 0)

    def carried_since(self):
        now = self.carried()
        return now[0] - self.carried_before[0], now[1] - self.carried_before[1]


def all_sizes(bench, mode, family, peer_family, **network):
    call = Call(bench, mode, family, peer_family, **network)
    sizes = [*range(0, 20), 63, 64, 65, 199, 200, 201, 999, 1000, 1001, 1399, 1400]
    for size in sizes:
        call.up(os.urandom(size))
        call.down(os.urandom(size))
    for size in sizes:
        # Not zeros: RFC 8656 12.5 leaves open what padding holds, and checksums cover it.
        call.up(os.urandom(size), padding=os.urandom(-size % 4))
    if mode == "off":
        equal(call.carried_since(), (0, 0), "packets that the kernel carried")
    elif not call.mixed:
        equal(call.carried_since(), (2 * len(sizes), len(sizes)), "packets that the kernel carried")


for _mode in MODES:
    for _family in (4, 6):
        add(
            f"every_size_arrives_unchanged_over_ipv{_family}_with_mode_{_mode}",
            "0 to 1400 bytes both ways, padded and not; the kernel, if on, carries each of them",
            lambda bench, m=_mode, f=_family: all_sizes(bench, m, f, f),
        )
    add(
        f"every_size_arrives_unchanged_by_a_gateway_with_mode_{_mode}",
        "one interface, client and peer behind a router",
        lambda bench, m=_mode: all_sizes(bench, m, 4, 4, shape=SHAPES["routed"]),
    )
    add(
        f"every_size_arrives_unchanged_with_full_checksums_and_mode_{_mode}",
        "senders without checksum offload",
        lambda bench, m=_mode: all_sizes(bench, m, 4, 4, offload=False),
    )
    for _families in ((4, 6), (6, 4)):
        add(
            "every_size_arrives_unchanged_from_ipv%d_to_ipv%d_with_mode_%s" % (*_families, _mode),
            "client and peer of different families; whoever carries it",
            lambda bench, m=_mode, f=_families: all_sizes(bench, m, *f),
        )


def open_checksums(bench, mode, family):
    """
    Senders on the same host with checksum offload leave most of the sum to a device that never
    comes. In generic mode the frame goes on with that promise attached, and at another place than
    the kernel believes, so it must not be carried: all of 256 lengths tell, some more, both ways.
    """
    topology = TwoInterfaces(bench)
    Relay(topology, kernel={"mode": mode}).start()
    call = calls.Call(topology, calls.Turn(family, family, "channel"), calls.Peer(family))
    for sender, receiver in ((call.a, call.b), (call.b, call.a)):
        call.play(sender, receiver, range(360), seed=1)


def without_checksum(bench, mode):
    call = Call(bench, mode)
    for end in (call.client, call.peer):
        end.socket.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    for size in (0, 1, 200, 1001):
        call.up(os.urandom(size))
        call.down(os.urandom(size))


def grown_beyond_mtu(bench, mode, family):
    """A peer's datagram that fills the MTU is 4 bytes too long on the client's side."""
    call = Call(bench, mode, family)
    fits = 1500 - (28 if family == 4 else 48)
    before = call.relay.kernel_counters()
    call.down(os.urandom(fits - 4))
    call.down(os.urandom(fits - 3))
    call.down(os.urandom(fits))
    if mode != "off":
        equal(call.carried_since(), (0, 1), "packets that the kernel carried")
        after = call.relay.kernel_counters()
        equal(after["mtu"] - before["mtu"], 2, "packets passed up because of the MTU")


def fragments(bench, mode, family):
    """Datagrams that come in fragments are the host's to put together, and the daemon's."""
    call = Call(bench, mode, family)
    call.up(os.urandom(3000))
    call.down(os.urandom(3000))
    equal(call.carried_since(), (0, 0), "packets that the kernel carried")


def only_permitted_peers(bench, mode):
    """Right address, other port: a Data indication. Another address: nothing, and counted."""
    call = Call(bench, mode)
    topology = call.topology
    stranger_ip = "10.77.2.9"
    topology.ip(topology.peer_ns, "addr", "add", f"{stranger_ip}/24", "dev", "p0")
    stranger = Endpoint(topology.peer_ns, stranger_ip)
    neighbour = Endpoint(topology.peer_ns, topology.peer[4])
    before = call.relay.counters()["drop_no_permission"]
    stranger.send(b"from a stranger", call.relayed)
    call.relay.wait_counter("drop_no_permission", before + 1)
    neighbour.send(b"from a neighbour", call.relayed)
    data, _ = call.client.expect("the neighbour's data")
    message = Message(data)
    equal(message.method, DATA, "method")
    equal(message.address(XOR_PEER), neighbour.address, "peer in the Data indication")
    equal(message.attributes[DATA_ATTR], b"from a neighbour", "its data")
    call.client.send_indication((stranger_ip, 9), b"to a stranger")
    call.relay.wait_counter("drop_no_permission", before + 2)
    call.client.send_indication(neighbour.address, b"to the neighbour")
    equal(neighbour.expect("a Send indication's data"), (b"to the neighbour", call.relayed), "data")


# What a family calls these: level; options to send with; options to have them told.
HEADER_OPTIONS = {
    4: (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_TOS, 12, 13),  # IP_RECVTTL, IP_RECVTOS
    6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, socket.IPV6_TCLASS,
        socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS),
}  # fmt: skip


def received_headers(end):
    """(TTL or hop limit, TOS or traffic class) of the next datagram, which is there already."""
    _, told, _, _ = end.socket.recvmsg(2000, 1000)
    values = {kind: int.from_bytes(data[:4], "little") for _, kind, data in told}
    ttl = values.get(socket.IP_TTL, values.get(socket.IPV6_HOPLIMIT))
    return ttl, values.get(socket.IP_TOS, values.get(socket.IPV6_TCLASS))


def ip_header(bench, mode, family):
    call = Call(bench, mode, family)
    level, ttl, tos, tell_ttl, tell_tos = HEADER_OPTIONS[family]
    for end in (call.client, call.peer):
        for option, value in ((ttl, 50), (tos, 0xB9), (tell_ttl, 1), (tell_tos, 1)):
            end.socket.setsockopt(level, option, value)
    call.client.send_channel(CHANNEL, b"up")
    select.select([call.peer.socket], [], [], 5)
    equal(received_headers(call.peer), (49, 0xB9), "TTL and traffic class at the peer")
    call.peer.send(b"down", call.relayed)
    select.select([call.client.socket], [], [], 5)
    equal(received_headers(call.client), (49, 0xB9), "TTL and traffic class at the client")
    equal(call.carried_since(), (1, 1), "packets that the kernel carried")
    before = call.relay.kernel_counters()["ttl"]
    call.client.socket.setsockopt(level, ttl, 1)
    call.up(b"the last hop")
    equal(call.carried_since(), (1, 1), "packets that the kernel carried, one with its TTL used up")
    equal(call.relay.kernel_counters()["ttl"] - before, 1, "packets passed up because of the TTL")


for _mode in ("native", "generic"):
    for _family in (4, 6):
        add(
            f"the_kernel_takes_one_hop_and_keeps_dscp_and_ecn_over_ipv{_family}_with_mode_{_mode}",
            "TTL one less each way, traffic class as sent; with a TTL of 1 the daemon relays",
            lambda bench, m=_mode, f=_family: ip_header(bench, m, f),
        )


def deleted_allocation(bench, mode):
    call = Call(bench, mode)
    call.client.refresh(0)
    before = call.relay.counters()["drop_no_allocation"]
    call.client.send_channel(CHANNEL, b"too late")
    call.peer.send(b"too late", call.relayed)
    call.relay.wait_counter("drop_no_allocation", before + 1)
    check(call.peer.receive(0) is None, "data reached the peer after the allocation ended")
    check(call.client.receive(0) is None, "data reached the client after the allocation ended")
    equal(call.carried_since(), (0, 0), "packets that the kernel carried")


def rebound_channel(bench, mode):
    """A channel bound again after the allocation was made anew leads to the new peer."""
    call = Call(bench, mode)
    for _ in range(20):
        call.client.refresh(0)
        call.relayed = call.client.allocate(4)
        call.peer = Endpoint(call.topology.peer_ns, call.topology.peer[4])
        call.client.bind(CHANNEL, call.peer.address)
        call.up(os.urandom(100))
        call.down(os.urandom(100))


for _mode in MODES:
    for _family in (4, 6):
        add(
            f"unfinished_checksums_are_finished_over_ipv{_family}_with_mode_{_mode}",
            "senders with checksum offload, 360 sizes",
            lambda bench, m=_mode, f=_family: open_checksums(bench, m, f),
        )
        add(
            f"datagrams_that_outgrow_the_mtu_arrive_over_ipv{_family}_with_mode_{_mode}",
            "full-size datagrams from the peer: the kernel passes them, the daemon fragments",
            lambda bench, m=_mode, f=_family: grown_beyond_mtu(bench, m, f),
        )
        add(
            f"fragments_arrive_over_ipv{_family}_with_mode_{_mode}",
            "3,000 bytes both ways, always by the daemon",
            lambda bench, m=_mode, f=_family: fragments(bench, m, f),
        )
    for _name, _function, _what in (
        ("datagrams_without_checksum_arrive", without_checksum, "UDP checksum 0 over IPv4"),
        ("only_permitted_peers_get_through", only_permitted_peers, "others are dropped, counted"),
        ("a_deleted_allocation_relays_nothing", deleted_allocation, "Refresh with lifetime 0"),
        ("a_channel_bound_anew_leads_to_the_new_peer", rebound_channel, "20 times, no old flow"),
    ):
        add(f"{_name}_with_mode_{_mode}", _what, lambda bench, m=_mode, f=_function: f(bench, m))


def expired_slot(bench):
    """Time as the kernel entry has it: past, the packet is the daemon's, which knows better."""
    call = Call(bench, "native")
    for slot in call.relay.slots():
        call.relay.set_slot_expiry(slot, 1)
    before = call.relay.kernel_counters()["expired"]
    call.up(b"by the daemon")
    call.down(b"by the daemon too")
    equal(call.carried_since(), (0, 0), "packets that the kernel carried")
    equal(call.relay.kernel_counters()["expired"] - before, 2, "packets that found time over")


add(
    "an_expired_kernel_entry_is_a_miss",
    "its expiry set to the past by bpftool: packets pass up, counted as expired, and are relayed",
    expired_slot,
)
