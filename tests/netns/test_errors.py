# SPDX-License-Identifier: BSD-2-Clause
"""
What goes wrong on the way to a peer and what its client learns of it (RFC 8656 11.5); datagrams
much larger than any link; limits that hold for the relay as a whole.
"""

import os
import struct
import time

from lib.case import add, case, check, equal
from lib.relay import Relay
from lib.stun import ALLOCATE, DATA, DATA_ATTR, SEND, TRANSPORT, XOR_PEER
from lib.stun import Client, Endpoint, Message
from lib.topology import Routed, TwoInterfaces

MODES = ("native", "off")
DONT_FRAGMENT, ICMP, SOFTWARE = 0x001A, 0x8004, 0x8022
INDICATION = 0x010
NUMBER = 0x4001


def icmp(kind, code, data=0):
    """RFC 8656 18.13: 7 bits of type, 9 of code."""
    return struct.pack("!HHI", 0, kind << 9 | code, data)


def indicate(client, peer, payload, *more):
    """A Send indication, with further attributes."""
    attributes = [(XOR_PEER, *peer), *more, (DATA_ATTR, payload)]
    client.send(client.build(SEND | INDICATION, attributes, sign=False), client.server)


def expect_error(client, peer, value):
    data, _ = client.expect("a Data indication about an ICMP error")
    message = Message(data)
    equal(message.kind, DATA | INDICATION, "message type")
    equal(message.address(XOR_PEER), tuple(peer), "whom it is about")
    check(DATA_ATTR not in message.attributes, "no DATA")
    equal(message.attributes[ICMP].hex(), value.hex(), "ICMP attribute")


def closed_port(bench, mode, family):
    """Its host answers that nobody is there."""
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    client = Client(topology, family)
    client.allocate(family)
    peer = (topology.peer[family], 9)
    client.permit(peer)
    for _ in range(3):
        indicate(client, peer, b"anybody there?")
        expect_error(client, peer, icmp(3, 3) if family == 4 else icmp(1, 4))
    client.bind(NUMBER, peer)
    client.send_channel(NUMBER, b"and now?")
    expect_error(client, peer, icmp(3, 3) if family == 4 else icmp(1, 4))
    equal(relay.counters()["icmp_unreachable"], 4, "errors told")
    # The relay goes on with others as before.
    other = Endpoint(topology.peer_ns, topology.peer[family])
    indicate(client, other.address, b"you, then")
    equal(other.expect("the next datagram")[0], b"you, then", "the next datagram")


def router_refuses(bench, mode):
    topology = Routed(bench)
    Relay(topology, kernel={"mode": mode}).start()
    client = Client(topology)
    client.allocate()
    peer = (topology.peer[4], 9)
    topology.ip(topology.router_ns, "route", "add", "prohibit", f"{peer[0]}/32")
    client.permit(peer)
    indicate(client, peer, b"through?")
    expect_error(client, peer, icmp(3, 13))


def too_large_here(bench, mode):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    client = Client(topology)
    client.allocate()
    peer = Endpoint(topology.peer_ns, topology.peer[4])
    client.permit(peer.address)
    for size in (1472, 1473, 8000):
        payload = os.urandom(size)
        indicate(client, peer.address, payload, (DONT_FRAGMENT, b""))
        if size == 1472:
            equal(peer.expect("what just fits")[0], payload, "what just fits")
        else:
            expect_error(client, peer.address, icmp(3, 4, 1500))
    # Without the attribute it is cut into pieces, as ever.
    indicate(client, peer.address, payload)
    equal(peer.expect("8,000 bytes")[0], payload, "8,000 bytes")
    equal(relay.counters()["too_large"], 2, "datagrams kept back")


def too_large_on_the_way(bench, mode):
    topology = Routed(bench)
    topology.ip(topology.router_ns, "link", "set", "gp", "mtu", "1300")
    Relay(topology, kernel={"mode": mode}).start()
    client = Client(topology)
    client.allocate()
    peer = Endpoint(topology.peer_ns, topology.peer[4])
    client.permit(peer.address)
    for _ in range(2):
        payload = os.urandom(1400)
        indicate(client, peer.address, payload, (DONT_FRAGMENT, b""))
        expect_error(client, peer.address, icmp(3, 4, 1300))
    with_pieces = os.urandom(8000)
    indicate(client, peer.address, with_pieces)
    equal(peer.expect("8,000 bytes")[0], with_pieces, "8,000 bytes")


def eight_thousand(bench, mode, family, peer_family):
    topology = TwoInterfaces(bench)
    Relay(topology, kernel={"mode": mode}).start()
    client = Client(topology, family)
    relayed = client.allocate(peer_family)
    peer = Endpoint(topology.peer_ns, topology.peer[peer_family])
    client.permit(peer.address)
    payload = os.urandom(8001)
    # Over IPv6 the attribute changes nothing: RFC 8656 13.
    ignored = (DONT_FRAGMENT, b"") if family == 6 else (SOFTWARE, b"somebody's")
    indicate(client, peer.address, payload, ignored)
    equal(peer.expect("8,001 bytes up")[0], payload, "8,001 bytes up")
    peer.send(payload, relayed)
    message = Message(client.expect("8,001 bytes down")[0])
    equal(message.attributes[DATA_ATTR], payload, "8,001 bytes down")
    client.bind(NUMBER, peer.address)
    client.send_channel(NUMBER, payload)
    equal(peer.expect("8,001 bytes up a channel")[0], payload, "8,001 bytes up a channel")
    peer.send(payload, relayed)
    client.expect_channel(NUMBER, payload, "8,001 bytes down a channel")


def client_left(bench, mode):
    """Errors from the way to a client are nobody else's business."""
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    gone, stays = Client(topology), Client(topology)
    peer = Endpoint(topology.peer_ns, topology.peer[4])
    relayed = gone.allocate()
    gone.permit(peer.address)
    gone.socket.close()
    stays.allocate()
    stays.permit(peer.address)
    for _ in range(20):
        peer.send(b"still there?", relayed)
    indicate(stays, peer.address, b"I am")
    equal(peer.expect("data of the other client")[0], b"I am", "data of the other client")
    equal(stays.receive(0.2), None, "what the other client heard")
    equal(relay.counters()["icmp_unreachable"], 0, "errors told")
    equal(relay.counters()["receive_failures"], 0, "sockets that could not be read")


for _mode in MODES:
    for _family in (4, 6):
        add(
            f"a_closed_port_of_a_peer_is_told_over_ipv{_family}_with_mode_{_mode}",
            "ICMP port unreachable becomes a Data indication with the ICMP attribute",
            lambda bench, m=_mode, f=_family: closed_port(bench, m, f),
        )
        for _peer in (4, 6):
            add(
                f"8000_bytes_pass_from_ipv{_family}_to_ipv{_peer}_with_mode_{_mode}",
                "both ways, in indications and on a channel, in fragments on both sides",
                lambda bench, m=_mode, f=_family, p=_peer: eight_thousand(bench, m, f, p),
            )
    for _name, _function, _what in (
        ("a_router_that_refuses_is_told", router_refuses, "ICMP administratively prohibited"),
        ("dont_fragment_beyond_the_mtu_is_told", too_large_here, "with the MTU of the relay"),
        (
            "dont_fragment_beyond_an_mtu_on_the_way_is_told",
            too_large_on_the_way,
            "with the MTU of the router, every time",
        ),
        ("a_client_that_left_disturbs_nobody", client_left, "its host answers port unreachable"),
    ):
        add(f"{_name}_with_mode_{_mode}", _what, lambda bench, m=_mode, f=_function: f(bench, m))


@case("limits.allocations_per_user 5 and two workers: of 20 clients of one user 5 are served")
def a_users_quota_holds_over_both_workers(bench):
    topology = TwoInterfaces(bench)
    Relay(topology, workers=2, limits={"allocations_per_user": 5}).start()
    clients = [Client(topology) for _ in range(20)]
    codes = [c.request(ALLOCATE, (TRANSPORT, bytes([17, 0, 0, 0]))).error for c in clients]
    equal(codes, [0] * 5 + [486] * 15, "answers")


@case("limits.allocations 5 and two workers: of 20 clients 5 are served")
def the_limit_of_allocations_holds_over_both_workers(bench):
    topology = TwoInterfaces(bench)
    Relay(topology, workers=2, limits={"allocations": 5}).start()
    clients = [Client(topology) for _ in range(20)]
    codes = [c.request(ALLOCATE, (TRANSPORT, bytes([17, 0, 0, 0]))).error for c in clients]
    equal(codes, [0] * 5 + [508] * 15, "answers")


@case("limits.bandwidth_per_allocation without a kernel path: a burst, then one megabit")
def bandwidth_is_limited_each_way(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(
        topology, kernel={"mode": "off"}, limits={"bandwidth_per_allocation": 1000000}
    ).start()
    client = Client(topology)
    relayed = client.allocate()
    peer = Endpoint(topology.peer_ns, topology.peer[4])
    client.bind(NUMBER, peer.address)
    began = time.monotonic()
    for _ in range(500):
        client.send_channel(NUMBER, bytes(1000))
        peer.send(bytes(1000), relayed)
        time.sleep(0.001)
    arrived = [0, 0]
    for i, end in enumerate((peer, client)):
        while end.receive(0.3) is not None:
            arrived[i] += 1
    most = 14 + (time.monotonic() - began) * 125
    for way, count in zip(("to the peer", "to the client"), arrived):
        check(13 + 50 <= count <= most, f"{count} of 500 datagrams {way}, at most {most:.0f}")
    equal(relay.counters()["drop_over_bandwidth"], 1000 - sum(arrived), "datagrams dropped")
