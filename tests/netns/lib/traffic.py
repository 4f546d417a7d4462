# SPDX-License-Identifier: BSD-2-Clause
"""Clients and peers that were not written here: coturn's turnutils_uclient and turnutils_peer."""

import re

from .case import Failure, check, equal
from .relay import PASSWORD, PORT, USER

PEER_PORT = 3480


def start_peer(topology):
    """The echoing peer, on all of its host's addresses. Ready when its port is bound."""
    bench = topology.bench
    peer = bench.start(
        "turnutils_peer",
        "turnutils_peer",
        *(f"-L{ip}" for ip in topology.peer.values()),
        "-p",
        PEER_PORT,
        namespace=topology.peer_ns,
        env={"LD_PRELOAD": f"{bench.tools}/uclient-preload.so"},
    )
    wait_bound(topology, topology.peer_ns, PEER_PORT, len(topology.peer))
    return peer


def wait_bound(topology, namespace, port, count):
    """Until so many UDP sockets are bound to a port: `ss` is asked until they are."""
    for _ in range(200):
        text = topology.bench.run("ss", "-Hlnu", f"sport = {port}", namespace=namespace)
        if len(text.splitlines()) >= count:
            return
    raise Failure(f"nothing listens on port {port} of {namespace}:\n{text}")


class Result:
    def __init__(self, text):
        totals = re.findall(r"start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", text)
        lost = re.search(r"Total lost packets (-?\d+) .*total send dropped (\d+)", text)
        if not totals or not lost:
            raise Failure("turnutils_uclient printed no statistics")
        self.sent, self.received = (int(n) for n in totals[-1])
        self.lost, self.dropped = (int(n) for n in lost.groups())


def start_uclient(
    relay, server, peer, clients=20, messages=1000, bytes_each=200, every_ms=2, extra=()
):
    """
    turnutils_uclient: each of its clients sends its messages to the echoing peer and counts what
    comes back. Families are those of the two addresses.
    """
    topology = relay.topology
    bench = topology.bench
    family = ("-x",) if ":" in peer else ("-X",)
    return bench.start(
        "turnutils_uclient",
        "turnutils_uclient",
        *("-u", USER, "-w", PASSWORD, "-c", *family, *extra),
        *("-e", peer, "-r", PEER_PORT, "-p", PORT),
        *("-m", clients, "-n", messages, "-l", bytes_each, "-z", every_ms),
        server,
        namespace=topology.client_ns,
        env={"LD_PRELOAD": f"{bench.tools}/uclient-preload.so"},
    )


def uclient(relay, server, peer, clients=20, messages=1000, timeout=60, **options):
    """A run to its end; a Failure unless every message came back."""
    program = start_uclient(relay, server, peer, clients, messages, **options)
    status = program.wait(timeout, unless_dies=relay.process)
    equal(status, 0, "exit status of turnutils_uclient")
    result = Result(program.text())
    equal(result.sent, clients * messages, "messages that turnutils_uclient sent")
    check(
        result.lost == 0 and result.dropped == 0 and result.received == result.sent,
        f"lost {result.lost}, not sent {result.dropped}: "
        f"{result.received} of {result.sent} messages came back",
    )
    return result
