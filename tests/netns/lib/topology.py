# SPDX-License-Identifier: BSD-2-Clause
"""
The networks that tests run in: a client, a relay and a peer, each a network namespace.

  two_interfaces  client ── relay ── peer                 the relay redirects between interfaces
  one_interface   client ┐
                  peer   ┼ switch ── relay                it transmits out of where it came from
  routed          client ┐
                  peer   ┼ router ── relay                the same, by a gateway
  two_uplinks     client ┐
                  peer   ┼ router ══ relay                two interfaces to one router

On veth a frame that XDP transmits or redirects arrives only if the other end has an XDP program
(or, for a redirect, GRO on): `far` says which the ends that face the relay get.
"""

import json

CLIENT, PEER = 1, 2  # the third number of each side's networks


def v4(side, host):
    return f"10.77.{side}.{host}"


def v6(side, host):
    return f"fd77:0:0:{side}::{host}"


class Topology:
    name = None  # in names of tests

    def __init__(self, bench, far="xdp", offload=True):
        self.bench = bench
        self.far = far
        self.offload = offload
        self.client_ns = self._host("c")
        self.relay_ns = self._host("r")
        self.peer_ns = self._host("p")
        self.interfaces = []  # of the relay
        self.listen = {}  # family: address that clients reach the relay at
        self.relayed = {}  # family: address that allocations are made on
        self.client = {}
        self.peer = {}

    def _host(self, name):
        ns = self.bench.add_namespace(name)
        # No duplicate address detection: an address is usable as soon as it is there.
        for what in ("all", "default"):
            self.set(ns, f"net.ipv6.conf.{what}.accept_dad", 0)
        self.ip(ns, "link", "set", "lo", "up")
        return ns

    def ip(self, ns, *argv):
        return self.bench.run("ip", "-n", ns, *argv)

    def set(self, ns, key, value):
        self.bench.run("sysctl", "-q", "-w", f"{key}={value}", namespace=ns)

    def _link(self, a_ns, a, b_ns, b):
        self.ip(a_ns, "link", "add", a, "type", "veth", "peer", "name", b, "netns", b_ns)
        self.ip(a_ns, "link", "set", a, "up")
        self.ip(b_ns, "link", "set", b, "up")

    def _address(self, ns, device, side, host):
        self.ip(ns, "addr", "add", f"{v4(side, host)}/24", "dev", device)
        self.ip(ns, "addr", "add", f"{v6(side, host)}/64", "dev", device, "nodad")

    def _gateway(self, ns, side, host):
        self.ip(ns, "route", "add", "default", "via", v4(side, host))
        self.ip(ns, "route", "add", "default", "via", v6(side, host))

    def _prepare_far_end(self, ns, device):
        """Makes the end of a veth that faces the relay take what XDP sends."""
        if self.far == "xdp":
            self.bench.attach_pass(ns, device)
        elif self.far == "gro":
            self.bench.run("ethtool", "-K", device, "gro", "on", namespace=ns)

    def _prepare_sender(self, ns, device):
        """With offload left on, local senders leave a pseudo-header sum in the UDP checksum."""
        if not self.offload:
            self.bench.run("ethtool", "-K", device, "tx", "off", namespace=ns)

    def leave_no_sums_open(self):
        """From now on, local senders write whole UDP checksums."""
        self.offload = False
        self._prepare_sender(self.client_ns, "c0")
        self._prepare_sender(self.peer_ns, "p0")

    def _ends(self):
        self.client = {4: v4(CLIENT, 2), 6: v6(CLIENT, 2)}
        self.peer = {4: v4(PEER, 2), 6: v6(PEER, 2)}
        self._prepare_sender(self.client_ns, "c0")
        self._prepare_sender(self.peer_ns, "p0")


class TwoInterfaces(Topology):
    name = "two_interfaces"

    def __init__(self, bench, **options):
        super().__init__(bench, **options)
        for name, ns, side in (("c", self.client_ns, CLIENT), ("p", self.peer_ns, PEER)):
            self._link(self.relay_ns, f"r{name}", ns, f"{name}0")
            self._address(self.relay_ns, f"r{name}", side, 1)
            self._address(ns, f"{name}0", side, 2)
            self._gateway(ns, side, 1)
            self._prepare_far_end(ns, f"{name}0")
        self.interfaces = ["rc", "rp"]
        self.listen = {4: v4(CLIENT, 1), 6: v6(CLIENT, 1)}
        self.relayed = {4: v4(PEER, 1), 6: v6(PEER, 1)}
        self._ends()


class OneInterface(Topology):
    """All in one segment behind a switch."""

    name = "one_interface"

    def __init__(self, bench, **options):
        super().__init__(bench, **options)
        self.switch_ns = self._host("s")
        self.ip(self.switch_ns, "link", "add", "name", "switch", "type", "bridge")
        self.ip(self.switch_ns, "link", "set", "switch", "up")
        for name, ns in (("r", self.relay_ns), ("c", self.client_ns), ("p", self.peer_ns)):
            self._link(self.switch_ns, f"s{name}", ns, f"{name}0")
            self.ip(self.switch_ns, "link", "set", f"s{name}", "master", "switch")
        self._prepare_far_end(self.switch_ns, "sr")
        self._address(self.relay_ns, "r0", CLIENT, 1)
        self._address(self.client_ns, "c0", CLIENT, 2)
        self._address(self.peer_ns, "p0", CLIENT, 3)
        self.interfaces = ["r0"]
        self.listen = {4: v4(CLIENT, 1), 6: v6(CLIENT, 1)}
        self.relayed = dict(self.listen)
        self._ends()
        self.peer = {4: v4(CLIENT, 3), 6: v6(CLIENT, 3)}


class Routed(Topology):
    """The relay has one interface and one gateway; everyone else is behind it."""

    name = "routed"

    def __init__(self, bench, **options):
        super().__init__(bench, **options)
        relay_side = 3
        self.router_ns = self._host("g")
        self.set(self.router_ns, "net.ipv4.ip_forward", 1)
        self.set(self.router_ns, "net.ipv6.conf.all.forwarding", 1)
        for name, ns, side in (
            ("r", self.relay_ns, relay_side),
            ("c", self.client_ns, CLIENT),
            ("p", self.peer_ns, PEER),
        ):
            self._link(self.router_ns, f"g{name}", ns, f"{name}0")
            self._address(self.router_ns, f"g{name}", side, 1)
            self._address(ns, f"{name}0", side, 2)
            self._gateway(ns, side, 1)
        self._prepare_far_end(self.router_ns, "gr")
        self.interfaces = ["r0"]
        self.listen = {4: v4(relay_side, 2), 6: v6(relay_side, 2)}
        self.relayed = dict(self.listen)
        self._ends()


SHAPES = {shape.name: shape for shape in (TwoInterfaces, OneInterface, Routed)}


class TwoUplinks(Topology):
    """
    The relay has two interfaces to one router, each with an address: clients reach it by r0,
    allocations are made on r1. No route but to the router yet: those are the test's.
    """

    name = "two_uplinks"

    def __init__(self, bench, **options):
        super().__init__(bench, **options)
        self.router_ns = self._host("g")
        self.set(self.router_ns, "net.ipv4.ip_forward", 1)
        self.set(self.router_ns, "net.ipv6.conf.all.forwarding", 1)
        for name, side in (("r0", 3), ("r1", 4)):
            self._link(self.router_ns, f"g{name}", self.relay_ns, name)
            self._address(self.router_ns, f"g{name}", side, 1)
            self._address(self.relay_ns, name, side, 2)
            self._prepare_far_end(self.router_ns, f"g{name}")
        for name, ns, side in (("c", self.client_ns, CLIENT), ("p", self.peer_ns, PEER)):
            self._link(self.router_ns, f"g{name}", ns, f"{name}0")
            self._address(self.router_ns, f"g{name}", side, 1)
            self._address(ns, f"{name}0", side, 2)
            self._gateway(ns, side, 1)
        self.interfaces = ["r0", "r1"]
        self.listen = {4: v4(3, 2), 6: v6(3, 2)}
        self.relayed = {4: v4(4, 2), 6: v6(4, 2)}
        self._ends()

    def router(self, family, uplink):
        """The router's address on an uplink, 0 or 1."""
        return (v4 if family == 4 else v6)(3 + uplink, 1)

    def route(self, family, *words):
        return self.ip(self.relay_ns, f"-{family}", "route", *words)

    def transmitted(self, device):
        text = self.bench.run("ip", "-n", self.relay_ns, "-s", "-j", "link", "show", device)
        return json.loads(text)[0]["stats64"]["tx"]["packets"]
