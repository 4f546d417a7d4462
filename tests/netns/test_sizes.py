# SPDX-License-Identifier: BSD-2-Clause
"""
Datagrams that the kernel path must not touch as they are: too large once they have their new
headers, many in one frame, or more than the allocation's bandwidth. And errors about datagrams
that nobody sent.
"""

import os
import socket
import struct
import time

from lib import linux
from lib.calls import Call, Meter, Peer, Turn
from lib.case import add, check, equal
from lib.relay import Relay
from lib.topology import TwoInterfaces

MODES = ("native", "generic", "off")
SOL_UDP, UDP_SEGMENT = 17, 103


def grown_indications(bench, mode, client, peer):
    """What a peer sends grows by 36 bytes or more; the first size that does not fit is passed."""
    topology = TwoInterfaces(bench)
    topology.leave_no_sums_open()
    relay = Relay(topology, kernel={"mode": mode}).start()
    call = Call(topology, Turn(client, peer, "send"), Peer(peer))
    call.play(call.b, call.a, [100] * 3, seed=1)
    room = 1500 - (48 if client == 6 else 28) - (36 if peer == 4 else 48)
    arrives = 1500 - (48 if peer == 6 else 28)
    fits = [room - room % 4, room - room % 4 - 4]
    grows = [n for n in (room - room % 4 + 1, room - room % 4 + 4, arrives) if n <= arrives]
    for sizes, carried in ((fits, True), (grows, False)):
        meter = Meter(relay)
        call.play(call.b, call.a, sizes, seed=2)
        bench.note(f"{sizes}: {meter.text()}")
        wanted = {"to_client": len(sizes)} if carried else {"mtu": len(sizes)}
        got = {k: n for k, n in meter.kernel().items() if k in ("to_client", "mtu")}
        equal(got, {} if mode == "off" else wanted, f"verdicts for the sizes {sizes}")


for _mode in MODES:
    for _client, _peer in ((4, 4), (6, 4), (6, 6)):
        add(
            f"data_indications_that_outgrow_the_mtu_arrive_from_ipv{_peer}_to_ipv{_client}"
            f"_with_mode_{_mode}",
            "the kernel passes up just those that do not fit, and the daemon fragments",
            lambda bench, m=_mode, c=_client, p=_peer: grown_indications(bench, m, c, p),
        )


def send_many(end, to, datagrams):
    """One system call, one frame as far as the sender's device takes it: all of one size."""
    segment = struct.pack("=H", len(datagrams[0]))
    end.socket.sendmsg(
        [b"".join(datagrams)], [(SOL_UDP, UDP_SEGMENT, segment)], 0, tuple(to[:2])
    )  # fmt: skip


def segments(bench, mode, family):
    """Frames of 3 × 200 bytes, which fit the MTU as they are, and of 20 × 1,000, which do not."""
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    channel = Call(topology, Turn(family, family, "channel"), Peer(family))
    indications = Call(topology, Turn(family, family, "send"), Peer(family))
    meter = Meter(relay)
    for call in (channel, indications):
        for count, size in ((3, 200), (20, 1000), (2, 33)):
            datagrams = [os.urandom(size) for _ in range(count)]
            framed = []
            with_send = call.a.end.send
            call.a.end.send = lambda data, _, into=framed: into.append(data)
            for data in datagrams:
                call.a.send(data)
            call.a.end.send = with_send
            send_many(call.a.end, call.a.end.server, framed)
            expect_each(call.b, call, datagrams, f"up, {count} of {size} bytes in one")
            send_many(call.b.end, call.a.address, datagrams)
            expect_each(call.a, call, datagrams, f"down, {count} of {size} bytes in one")
    bench.note(meter.text())


def expect_each(side, call, datagrams, what):
    for i, wanted in enumerate(datagrams):
        form, whence, got = side.read(*side.end.expect(f"datagram {i} {what}"), call.names)
        check(
            got == wanted,
            f"datagram {i} {what} came with {len(got)} bytes as {form} from {whence}",
        )


for _mode in MODES:
    for _family in (4, 6):
        add(
            f"segmented_sends_come_out_as_sent_over_ipv{_family}_with_mode_{_mode}",
            "both ways with UDP_SEGMENT, on a channel and in indications",
            lambda bench, m=_mode, f=_family: segments(bench, m, f),
        )


def icmp_about(source, dest, kind=3, code=3):
    """An ICMP error that quotes a UDP datagram from `source` to `dest`."""
    quoted = struct.pack(
        "!BBHHHBBH4s4sHHHH", 0x45, 0, 36, 1, 0x4000, 64, 17, 0,
        socket.inet_aton(source[0]), socket.inet_aton(dest[0]), source[1], dest[1], 16, 0,
    ) + bytes(8)  # fmt: skip
    body = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    total = sum(struct.unpack(f"!{len(body) // 2}H", body))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]


def unasked_errors(bench, mode):
    """About a peer without a permission: counted, and the client hears nothing."""
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    call = Call(topology, Turn(4, 4, "channel"), Peer(4))
    call.play(call.a, call.b, [100] * 3, seed=1)
    with linux.network_of(topology.peer_ns):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.sendto(icmp_about(call.a.address, ("10.77.9.9", 9)), (call.a.address[0], 0))
    relay.wait_counter("drop_icmp_no_permission", 1)
    raw.sendto(icmp_about(call.a.address, call.b.address, 3, 1), (call.a.address[0], 0))
    relay.wait_counter("icmp_unreachable", 1)
    data, sender = call.a.end.expect("the error about the permitted peer")
    equal(call.a.read(data, sender, call.names)[:2], ("ICMP", "B"), "what the client hears")
    check(call.a.end.receive(0.1) is None, "the client hears of another peer's errors")


for _mode in ("native", "off"):
    add(
        f"errors_about_peers_without_permission_are_kept_with_mode_{_mode}",
        unasked_errors.__doc__,
        lambda bench, m=_mode: unasked_errors(bench, m),
    )


RATE = 2_000_000  # bits per second of application data
SIZE = 1000
FLOOD_S = 2.0


def bandwidth(bench, mode, hairpin):
    """Four times the rate, both ways at once, for two seconds: what arrives is the rate's."""
    # The generic program leaves unfinished checksums of local senders to the daemon.
    topology = TwoInterfaces(bench, offload=mode != "generic")
    relay = Relay(topology, kernel={"mode": mode}, limits={"bandwidth_per_allocation": RATE})
    relay.start()
    other = Turn(4, 4, "send") if hairpin else Peer(4)
    call = Call(topology, Turn(4, 4, "channel"), other)
    meter = Meter(relay)
    payload = os.urandom(SIZE)
    arrived = {call.a.name: 0, call.b.name: 0}
    began = time.monotonic()
    sent = 0
    while time.monotonic() < began + FLOOD_S:
        due = (time.monotonic() - began) * 4 * RATE / 8 / SIZE
        while sent < due:
            call.a.send(payload)
            call.b.send(payload)
            sent += 1
        for side in (call.a, call.b):
            while side.end.receive(0.0005) is not None:
                arrived[side.name] += 1
    took = time.monotonic() - began
    for side in (call.a, call.b):
        while side.end.receive(0.3) is not None:
            arrived[side.name] += 1
    fair = took * RATE / 8 / SIZE
    kernel, daemon = meter.kernel(), meter.daemon()
    dropped = kernel.get("over_bandwidth", 0), daemon.get("drop_over_bandwidth", 0)
    bench.figure(
        f"{sent} sent each way in {took:.1f} s, {fair:.0f} are the rate's; arrived {arrived}; "
        f"over_bandwidth {dropped[0]} in the kernel, {dropped[1]} in the daemon"
    )
    for name, count in arrived.items():
        check(0.6 * fair <= count <= 1.5 * fair + 20, f"{name} got {count}, not about {fair:.0f}")
    lost = 2 * sent - sum(arrived.values())
    equal(sum(dropped), lost, "datagrams counted as over the bandwidth")
    share = dropped[mode == "off"]
    check(share >= 0.99 * lost, f"of {lost} dropped only {share} where the path is")


for _mode in MODES:
    for _name, _hairpin in (("to_a_peer", False), ("to_another_allocation", True)):
        add(
            f"bandwidth_of_an_allocation_is_limited_{_name}_with_mode_{_mode}",
            bandwidth.__doc__,
            lambda bench, m=_mode, h=_hairpin: bandwidth(bench, m, h),
        )
