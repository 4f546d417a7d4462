# SPDX-License-Identifier: BSD-2-Clause
"""ICE agents that were not written here, aioice's and aiortc's, meet through one relay."""

import importlib.util
import signal

from lib import ice_agents_path, rtc_agents_path
from lib.calls import Meter
from lib.case import Skip, add, check, equal
from lib.relay import PASSWORD, PORT, USER, Relay
from lib.topology import TwoInterfaces


def need(package):
    if not importlib.util.find_spec(package):
        raise Skip(f"python3-{package} is not installed")


def agents(bench, family, mode):
    need("aioice")
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    program = bench.start(
        "aioice",
        "/usr/bin/python3",
        ice_agents_path,
        *(topology.listen[family], PORT, USER, PASSWORD, 200),
        namespace=topology.client_ns,
    )
    equal(program.wait(40, unless_dies=relay.process), 0, "exit status of the agents")
    check(program.find(r"^exchanged 400 messages$"), "the agents did not exchange 400 messages")
    relay.wait_counter("allocations_deleted", 2)
    equal(relay.ctl("allocations")["allocations"], [], "allocations after the agents closed")


for _family in (4, 6):
    for _mode in ("native", "off"):
        add(
            f"aioice_connects_relay_to_relay_from_ipv{_family}_with_mode_{_mode}",
            "both agents have relay candidates only, of this relay; 400 messages, none lost",
            lambda bench, f=_family, m=_mode: agents(bench, f, m),
        )

# What may reach the daemon while the channel is held: keeping allocations and channels alive.
# Consent (RFC 7675) travels in the channel, so the kernel carries it like all else.
UPKEEP = ("refresh_requests", "create_permission_requests", "channel_bind_requests")


def data_channel(bench, seconds):
    need("aiortc")
    topology = TwoInterfaces(bench)
    relay = Relay(topology).start()
    program = bench.start(
        "aiortc",
        "/usr/bin/python3",
        rtc_agents_path,
        *(topology.listen[4], PORT, USER, PASSWORD, seconds),
        namespace=topology.client_ns,
    )
    program.wait_for(r"^open$", 30)
    meter = Meter(relay)
    program.wait_for(r"^held \d+ \d+$", seconds + 20)
    kernel, daemon, loopback = meter.kernel(), meter.daemon(), meter.loopback()
    sent = sum(int(n) for n in program.find(r"^held (\d+) (\d+)$").groups())
    bench.figure(f"{sent} messages in {seconds} s; kernel {kernel}, daemon {daemon}")
    program.send_signal(signal.SIGUSR1)
    equal(program.wait(20), 0, "exit status of the agents")
    relayed = {n: daemon[n] for n in ("to_peer_packets", "to_client_packets") if n in daemon}
    equal(relayed, {}, "packets of the call that the daemon relayed after set-up")
    check(kernel.get("to_allocation", 0) >= sent, f"the kernel carried {kernel}")
    equal(loopback, 0, "packets that went over loopback")
    # Whatever else reached the daemon is a request, and one that keeps something alive.
    upkeep = sum(daemon.get(n, 0) for n in UPKEEP)
    equal(daemon.get("received", 0), upkeep, f"datagrams that reached the daemon: {daemon}")
    equal(kernel.get("control", 0), upkeep, f"datagrams that the kernel passed up: {kernel}")


add(
    "aiortc_holds_a_data_channel_relay_to_relay_for_15_seconds",
    "nothing of it passes through the daemon once the channel is open, nor over loopback",
    lambda bench: data_channel(bench, 15),
)
add(
    "aiortc_holds_a_data_channel_relay_to_relay_for_a_minute",
    "the same for a minute",
    lambda bench: data_channel(bench, 60),
    timeout=120,
    default=False,
)
