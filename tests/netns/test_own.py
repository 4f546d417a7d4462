# SPDX-License-Identifier: BSD-2-Clause
"""What leads to the relay's host itself is no peer, also when its addresses change."""

import time

from lib.case import case, check, equal
from lib.relay import Relay
from lib.stun import PERMIT, XOR_PEER, Client
from lib.topology import TwoInterfaces


def answer(client, peer):
    return client.request(PERMIT, (XOR_PEER, *peer)).error or 0


def until(what, fn, seconds=5):
    end = time.monotonic() + seconds
    while not fn():
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.01)


@case("broadcast, network and subnet-router anycast addresses of the host's prefixes: 403")
def what_leads_to_the_host_is_no_peer(bench):
    topology = TwoInterfaces(bench)
    topology.set(topology.relay_ns, "net.ipv6.conf.all.forwarding", 1)
    Relay(topology).start()
    for family, denied, good in (
        (4, ["10.77.1.1", "10.77.1.255", "10.77.1.0", "10.77.2.255", "10.77.2.0"], "10.77.2.2"),
        (6, ["fd77:0:0:1::1", "fd77:0:0:1::", "fd77:0:0:2::"], "fd77:0:0:2::2"),
    ):
        client = Client(topology, family)
        client.allocate(family)
        for ip in denied:
            equal(answer(client, (ip, 9)), 403, f"answer for {ip}")
        equal(answer(client, (good, 9)), 0, f"answer for {good}")


@case("an address that comes to the host ends what was permitted to it; when it goes it is free")
def addresses_that_come_later_are_no_peers(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology).start()
    client, other = Client(topology), Client(topology)
    for c in (client, other):
        c.allocate()
        c.bind(0x4000, ("10.77.2.77", 9))
        c.bind(0x4001, ("10.77.2.2", 9))
    before = len(relay.slots())
    topology.ip(topology.relay_ns, "addr", "add", "10.77.2.77/24", "dev", "rp")
    until("withdrawn", lambda: relay.counters()["peers_withdrawn"] == 4)
    check(len(relay.slots()) < before, "slots stay")
    equal(answer(client, ("10.77.2.77", 9)), 403, "answer while the host has it")
    client.send_channel(0x4000, b"to the host")
    relay.wait_counter("drop_no_channel", 1)
    topology.ip(topology.relay_ns, "addr", "del", "10.77.2.77/24", "dev", "rp")
    until("free", lambda: answer(client, ("10.77.2.77", 9)) == 0)
