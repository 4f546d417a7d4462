# SPDX-License-Identifier: BSD-2-Clause
"""Two workers that share nothing serve clients side by side."""

import os

from lib.case import add, case, check, equal
from lib.relay import Relay
from lib.stun import Client, Endpoint
from lib.topology import TwoInterfaces
from test_forms import Call

CLIENTS = 32


def both_workers(bench, mode):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    peer = Endpoint(topology.peer_ns, topology.peer[4])
    clients = [Client(topology) for _ in range(CLIENTS)]
    for i, client in enumerate(clients):
        client.allocate()
        client.bind(0x4000 + i, peer.address)
    for _ in range(3):
        for i, client in enumerate(clients):
            payload = os.urandom(100)
            client.send_channel(0x4000 + i, payload)
            equal(peer.expect("data of client %d" % i), (payload, client.relayed), "data")
            peer.send(payload, client.relayed)
            client.expect_channel(0x4000 + i, payload)
    judge(relay, clients, peer, mode)


def judge(relay, clients, peer, mode):
    told = relay.ctl("allocations")["allocations"]
    equal(len(told), len(clients), "allocations that turnpikectl lists")
    equal({a["worker"] for a in told}, {0, 1}, "workers that have allocations")
    relayed = {f"{c.relayed[0]}:{c.relayed[1]}" for c in clients}
    equal({a["relayed"][0] for a in told}, relayed, "relayed addresses")
    path = "daemon" if mode == "off" else "kernel"
    for a in told:
        equal(a["user"], "alice", "user")
        (channel,) = a["channels"]
        equal(channel["path"], path, "path of a channel")
        equal(channel["peer"], "%s:%d" % peer.address, "peer of a channel")
        for way in ("to_peer", "to_client"):
            packets = [a[p][way]["packets"] for p in ("daemon", "kernel")]
            equal(sum(packets), 3, f"packets {way}, by daemon and kernel {packets}")
            check(mode != "off" or packets[1] == 0, "the kernel carried with mode off")


@case("turnpikectl allocations: the tables for people show who, where, until when, by which path")
def tables_for_people_show_the_call(bench):
    call = Call(bench, "native")
    program = bench.program("turnpikectl")
    text = bench.run(program, "--socket", call.relay.socket, "allocations")
    lines = text.splitlines()
    bench.note(text)
    for wanted in (call.relayed[0], call.client.address[0], call.peer.address[0], "alice"):
        check(wanted in text, f"{wanted} is not shown")
    check(any("0x4001" in line and "kernel" in line for line in lines), "no channel by the kernel")
    # Each table has a column EXPIRES; nothing that was just made ends in this second.
    at = None
    for line in lines:
        if "EXPIRES" in line:
            at = line.index("EXPIRES") + len("EXPIRES")
        elif at and line.strip():
            left = line[:at].split()[-1]
            check(left != "0s", f"this expires in {left}: {line}")
    check(at, "no column EXPIRES")


for _mode in ("native", "off"):
    add(
        f"both_workers_serve_clients_with_mode_{_mode}",
        "32 clients: turnpikectl lists each with its worker, channel, path and exact counts",
        lambda bench, m=_mode: both_workers(bench, m),
    )
