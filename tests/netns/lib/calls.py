# SPDX-License-Identifier: BSD-2-Clause
"""
Calls between two sides, and what each side gets to see of them: a transcript, in which the ports
and transaction ids that every run draws anew have names instead; and who carried them.
"""

import hashlib
import json
import random
import struct

from .case import Failure, check
from .stun import DATA, DATA_ATTR, ICMP, INDICATION, XOR_PEER, Client, Endpoint, Message

LARGEST = 1388  # no form of it outgrows 1,500 bytes, a FINGERPRINT over IPv6 included
CARRIED = ("to_peer", "to_client", "to_allocation")


class Peer:
    """A side without a relay: bare UDP."""

    def __init__(self, family):
        self.family = family

    def open(self, topology, name):
        self.name = name
        self.end = Endpoint(topology.peer_ns, topology.peer[self.family])
        self.address = self.end.address  # where others reach this side
        self.other = None
        return {self.address: name}

    def connect(self, other):
        self.other = other

    def send(self, payload):
        self.end.send(payload, self.other.address)

    def read(self, data, sender, names):
        return "UDP", names.get(sender, sender), data


class Turn:
    """
    A side behind the relay. `leg` is the family between it and the relay, `relayed` that of its
    allocation. `binds`: it gets a channel, otherwise only a permission. `sends` is "channel",
    "padded" (a channel with padding that is no zeros), "send" (indications), "fingerprint" (the
    same as Firefox has them) or "data first".
    """

    def __init__(self, leg, relayed, sends, binds=None, number=0x4001, beside_peer=False):
        self.leg, self.relayed, self.sends, self.number = leg, relayed, sends, number
        self.binds = sends in ("channel", "padded") if binds is None else binds
        self.beside_peer = beside_peer

    def open(self, topology, name):
        self.name = name
        self.end = Client(topology, self.leg, beside_peer=self.beside_peer)
        self.address = self.end.allocate(self.relayed)
        self.other = None
        return {self.address: f"{name}'s allocation", self.end.server: "the relay"}

    def connect(self, other):
        self.other = other
        if self.binds:
            self.end.bind(self.number, other.address)
        else:
            self.end.permit(other.address)

    def send(self, payload):
        if self.sends == "channel":
            self.end.send_channel(self.number, payload)
        elif self.sends == "padded":
            self.end.send_channel(self.number, payload, b"\xa5" * (-len(payload) % 4))
        else:
            self.end.send_indication(
                self.other.address,
                payload,
                data_first=self.sends == "data first",
                fingerprint=self.sends == "fingerprint",
            )

    def read(self, data, sender, names):
        check(names.get(sender) == "the relay", f"{self.name} got a datagram from {sender}")
        if data[0] & 0xC0 == 0x40:
            number, size = struct.unpack_from("!HH", data)
            check(len(data) == 4 + size, f"{len(data)} bytes of ChannelData with length {size}")
            return "ChannelData", f"0x{number:04x}", data[4:]
        message = Message(data)
        check(message.kind == DATA | INDICATION, f"{self.name} got type 0x{message.kind:04x}")
        check(not any(message.padding), f"padding is {message.padding.hex()}")
        if ICMP in message.attributes:
            peer = message.address(XOR_PEER)
            return "ICMP", names.get(peer, peer), b""
        check(message.order == [XOR_PEER, DATA_ATTR], f"attributes are {message.order}")
        peer = message.address(XOR_PEER)
        return "Data indication", names.get(peer, peer), message.attributes[DATA_ATTR]


class Call:
    def __init__(self, topology, a, b):
        self.names = {**a.open(topology, "A"), **b.open(topology, "B")}
        self.a, self.b = a, b
        a.connect(b)
        b.connect(a)

    def send(self, sender, receiver, payload, what):
        """Returns the line of the transcript. A Failure if it is lost: nothing else was sent."""
        sender.send(payload)
        data, source = receiver.end.expect(f"{what} from {sender.name} to {receiver.name}")
        form, whence, got = receiver.read(data, source, self.names)
        if got != payload:
            raise Failure(f"{what} to {receiver.name} arrived changed, as {form} from {whence}")
        digest = hashlib.blake2s(got, digest_size=8).hexdigest()
        return f"{receiver.name} got {len(got)} bytes {digest} as {form} from {whence}"

    def play(self, sender, receiver, sizes, seed):
        """A datagram of each of these sizes, each sent when the one before has arrived."""
        draw = random.Random(seed)
        pool = draw.randbytes(LARGEST + max(sizes))
        lines = []
        for i, size in enumerate(sizes):
            at = draw.randrange(LARGEST)
            lines.append(self.send(sender, receiver, pool[at : at + size], f"datagram {i}"))
        return lines


class Meter:
    """What the kernel and the daemon carried since it was made, and what went by loopback."""

    def __init__(self, relay):
        self.relay = relay
        self.kernel_before = relay.kernel_counters()
        self.daemon_before = relay.counters()
        self.loopback_before = self.loopback_packets()

    def loopback_packets(self):
        text = self.relay.bench.run(
            "ip", "-n", self.relay.topology.relay_ns, "-s", "-j", "link", "show", "lo"
        )
        return json.loads(text)[0]["stats64"]["tx"]["packets"]

    def loopback(self):
        return self.loopback_packets() - self.loopback_before

    def kernel(self):
        """{verdict: packets}, those that grew."""
        now = self.relay.kernel_counters()
        before = self.kernel_before
        return {k: n - before.get(k, 0) for k, n in now.items() if n != before.get(k, 0)}

    def daemon(self):
        now = self.relay.counters()
        return {k: n - self.daemon_before[k] for k, n in now.items() if n != self.daemon_before[k]}

    def carried(self):
        return sum(n for verdict, n in self.kernel().items() if verdict in CARRIED)

    def text(self):
        return f"kernel {self.kernel()}, daemon {self.daemon()}, loopback {self.loopback()}"
