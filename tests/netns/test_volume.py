# SPDX-License-Identifier: BSD-2-Clause
"""
A client that was not written here sends much through the relay and back, in every shape of
network, and nothing is lost. Where there is a kernel path, it carries at least 99 % of it.
"""

from lib.case import add, check, equal
from lib.relay import Relay
from lib.topology import SHAPES
from lib.traffic import start_peer, uclient

# 200,000 messages each way. On sockets at half the pace: it is loss that is asked for here, not
# speed, and two cores have the client and the peer to run too.
LARGE = {
    "native": {"clients": 40, "messages": 5000, "every_ms": 2},
    "off": {"clients": 40, "messages": 5000, "every_ms": 4},
}
SMALL = {"clients": 20, "messages": 500, "every_ms": 4}


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
            *(_shape, _family, _family, "native", LARGE["native"]),
            alone=True,
            timeout=120,
        )
        volume(
            f"sockets_alone_carry_200000_messages_over_ipv{_family}_with_{_shape}",
            "kernel.mode off: turnutils_uclient loses none; the kernel carried 0",
            *(_shape, _family, _family, "off", LARGE["off"]),
            alone=True,
            timeout=120,
        )

for _shape, _family in (("two_interfaces", 4), ("one_interface", 6)):
    volume(
        f"generic_xdp_carries_channels_over_ipv{_family}_with_{_shape}",
        "kernel.mode generic, 10,000 messages, senders without checksum offload",
        *(_shape, _family, _family, "generic", SMALL),
        offload=False,
    )
for _shape, _family in (("two_interfaces", 6), ("one_interface", 4)):
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


for _family in (4, 6):
    for _mode in ("native", "off"):
        volume(
            f"send_indications_over_ipv{_family}_lose_nothing_with_mode_{_mode}",
            "turnutils_uclient -s: Send and Data indications, 10,000 each way; 99 % by the kernel",
            *("two_interfaces", _family, _family, _mode, SMALL),
            extra=("-s",),
        )


def client_to_client(bench, shape, client_family, relayed_family, mode, extra=()):
    """Each message goes from one allocation to another, and so once through the relay."""
    topology = SHAPES[shape](bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    before = relay.kernel_counters()
    result = uclient(
        relay,
        topology.listen[client_family],
        topology.peer[relayed_family],
        extra=("-y", *extra),
        **SMALL,
    )
    after, daemon = relay.kernel_counters(), relay.counters()
    carried = after.get("to_allocation", 0) - before.get("to_allocation", 0)
    relayed = daemon["to_peer_packets"], daemon["to_client_packets"]
    says = f"of {result.sent} messages the kernel carried {carried}, the daemon {relayed}"
    bench.note(says)
    if mode == "off":
        equal(carried, 0, "packets that the kernel carried with mode off")
    else:
        check(carried >= 0.99 * result.sent, f"under 99 %: {says}")
    for way in relayed:
        check(carried + way >= result.sent, f"the counters miss packets: {says}")


for _name, _extra in (("channels", ()), ("send_indications", ("-s",))):
    for _family, _shape in ((4, "two_interfaces"), (6, "one_interface")):
        for _mode in ("native", "off"):
            add(
                f"{_name}_from_client_to_client_over_ipv{_family}_lose_nothing_with_mode_{_mode}",
                "turnutils_uclient -y: allocation to allocation; 99 % by the kernel, if it is on",
                lambda bench, s=_shape, f=_family, m=_mode, e=_extra: client_to_client(
                    bench, s, f, f, m, e
                ),
            )
