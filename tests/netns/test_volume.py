# SPDX-License-Identifier: BSD-2-Clause
"""
A client that was not written here sends much through the relay and back, in every shape of
network, and nothing is lost. Where there is a kernel path, it carries at least 99 % of it.
"""

from lib.case import add, check, equal
from lib.relay import Relay
from lib.topology import SHAPES
from lib.traffic import start_peer, uclient

LARGE = {"clients": 40, "messages": 5000, "every_ms": 2}  # 200,000 messages each way
SMALL = {"clients": 20, "messages": 1000, "every_ms": 2}


def run(bench, shape, client_family, peer_family, mode, size, extra=(), **network):
    topology = SHAPES[shape](bench, **network)
    relay = Relay(topology, kernel={"mode": mode}).start()
    start_peer(topology)
    before = relay.kernel_counters()
    result = uclient(
        relay, topology.listen[client_family], topology.peer[peer_family], extra=extra, **size
    )
    judge(relay, before, result, carried_by_kernel=mode != "off")
    return relay


def judge(relay, before, result, carried_by_kernel):
    after = relay.kernel_counters()
    daemon = relay.counters()
    carried = [after.get(v, 0) - before.get(v, 0) for v in ("to_peer", "to_client")]
    relayed = [daemon[f"{d}_packets"] for d in ("to_peer", "to_client")]
    says = f"the kernel carried {carried[0]} + {carried[1]}, the daemon {relayed[0]} + {relayed[1]}"
    if carried_by_kernel:
        for way in carried:
            check(way >= 0.99 * result.sent, f"under 99 % of {result.sent} each way: {says}")
    else:
        equal(carried, [0, 0], "packets that the kernel carried with mode off")
    for kernel, user, way in zip(carried, relayed, ("to peer", "to client")):
        check(kernel + user >= result.sent, f"the counters {way} miss packets: {says}")


def volume(name, what, *args, alone=False, timeout=60, **kwargs):
    add(name, what, lambda bench: run(bench, *args, **kwargs), alone=alone, timeout=timeout)


for _shape in ("two_interfaces", "one_interface"):
    for _family in (4, 6):
        volume(
            f"native_xdp_carries_200000_messages_over_ipv{_family}_with_{_shape}",
            "turnutils_uclient loses none; the kernel carried at least 99 %",
            *(_shape, _family, _family, "native", LARGE),
            alone=True,
            timeout=120,
        )
        volume(
            f"sockets_alone_carry_200000_messages_over_ipv{_family}_with_{_shape}",
            "kernel.mode off: turnutils_uclient loses none; the kernel carried 0",
            *(_shape, _family, _family, "off", LARGE),
            alone=True,
            timeout=120,
        )
        volume(
            f"generic_xdp_carries_channels_over_ipv{_family}_with_{_shape}",
            "kernel.mode generic, 20,000 messages",
            *(_shape, _family, _family, "generic", SMALL),
        )
        volume(
            f"native_xdp_takes_full_checksums_over_ipv{_family}_with_{_shape}",
            "senders without checksum offload (ethtool -K tx off)",
            *(_shape, _family, _family, "native", SMALL),
            offload=False,
        )

for _family in (4, 6):
    volume(
        f"native_xdp_carries_channels_over_ipv{_family}_by_a_gateway",
        "one interface, client and peer behind a router",
        *("routed", _family, _family, "native", SMALL),
    )
    volume(
        f"native_xdp_redirects_over_ipv{_family}_into_plain_napi",
        "the far ends have GRO on instead of an XDP program",
        *("two_interfaces", _family, _family, "native", SMALL),
        far="gro",
    )

volume(
    "generic_xdp_takes_full_checksums",
    "kernel.mode generic, senders without checksum offload",
    *("two_interfaces", 4, 4, "generic", SMALL),
    offload=False,
)
volume(
    "padded_channel_data_loses_nothing",
    "turnutils_uclient -D pads every ChannelData of 201 bytes to a multiple of four",
    *("two_interfaces", 4, 4, "native", {**SMALL, "bytes_each": 201}),
    extra=("-D",),
)
volume(
    "padded_channel_data_loses_nothing_on_sockets",
    "the same with kernel.mode off",
    *("two_interfaces", 4, 4, "off", {**SMALL, "bytes_each": 201}),
    extra=("-D",),
)


def send_indications(bench, family, mode):
    topology = SHAPES["two_interfaces"](bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    start_peer(topology)
    result = uclient(relay, topology.listen[family], topology.peer[family], extra=("-s",), **SMALL)
    daemon, kernel = relay.counters(), relay.kernel_counters()
    for way in ("to_peer", "to_client"):
        counts = daemon[f"{way}_packets"], kernel.get(way, 0)
        check(sum(counts) >= result.sent, f"packets {way}, by daemon and kernel: {counts}")


for _family in (4, 6):
    for _mode in ("native", "off"):
        add(
            f"send_indications_over_ipv{_family}_lose_nothing_with_mode_{_mode}",
            "turnutils_uclient -s: Send and Data indications, 20,000 each way",
            lambda bench, f=_family, m=_mode: send_indications(bench, f, m),
        )
