# SPDX-License-Identifier: BSD-2-Clause
"""Two ICE agents of aioice, which was not written here, meet through one relay."""

import importlib.util

from lib import ice_agents_path
from lib.case import Skip, add, check, equal
from lib.relay import PASSWORD, PORT, USER, Relay
from lib.topology import TwoInterfaces


def agents(bench, family, mode):
    if not importlib.util.find_spec("aioice"):
        raise Skip("python3-aioice is not installed")
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
