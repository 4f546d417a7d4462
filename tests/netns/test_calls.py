# SPDX-License-Identifier: BSD-2-Clause
"""
The same calls with the kernel path native, generic and off: both sides get to see the same. Where
there is a kernel path it carries at least 99 % of each call, by its own counters.
"""

import time

from lib.calls import LARGEST, Call, Meter, Peer, Turn
from lib.case import add, check
from lib.relay import Relay, hostport
from lib.topology import SHAPES

MODES = ("native", "generic", "off")
# Two voices and two videos, 1,000 datagrams each way: what the 99 % are of.
CALL = (33, 172, 505, 1200) * 250
# All kinds of sizes. veth gives the program frames of local senders with no more room behind them
# than up to the next multiple of 64 bytes, which is too little for the padding of a Data indication
# at one or two sizes of 64: those are relayed by the daemon, and counted as `tailroom`.
SIZES = (*range(140), *range(140, LARGEST, 7), LARGEST)


class Scenario:
    def __init__(self, name, a, b, shape="two_interfaces"):
        self.name, self.a, self.b, self.shape = name, a, b, shape

    @property
    def hairpin(self):
        return isinstance(self.b, Turn)


def scenarios():
    """Fresh ones for every test, because sides keep state."""
    for client in (4, 6):
        for peer in (4, 6):
            ways = f"from_ipv{client}_to_ipv{peer}"
            yield Scenario(f"channel_{ways}", Turn(client, peer, "channel"), Peer(peer))
            yield Scenario(f"indications_{ways}", Turn(client, peer, "send"), Peer(peer))
    yield Scenario("padded_channel", Turn(4, 4, "padded"), Peer(4))
    yield Scenario("padded_channel_from_ipv6_to_ipv4", Turn(6, 4, "padded"), Peer(4))
    yield Scenario("firefox_indications", Turn(4, 4, "fingerprint"), Peer(4))
    yield Scenario("firefox_indications_from_ipv6_to_ipv4", Turn(6, 4, "fingerprint"), Peer(4))
    yield Scenario("indications_with_data_first", Turn(4, 4, "data first"), Peer(4))
    yield Scenario("send_indications_up_and_channel_down", Turn(4, 4, "send", binds=True), Peer(4))
    yield Scenario("channel_on_one_interface", Turn(4, 4, "channel"), Peer(4), "one_interface")
    yield Scenario("indications_by_a_gateway", Turn(6, 6, "fingerprint"), Peer(6), "routed")
    for name, a, b in (
        ("channel_to_channel", ("channel",), ("padded",)),
        ("channel_to_indications", ("channel",), ("fingerprint",)),
        ("indications_to_indications", ("send",), ("fingerprint",)),
    ):
        for family in (4, 6):
            yield Scenario(
                f"hairpin_{name}_over_ipv{family}",
                Turn(family, family, *a),
                Turn(family, family, *b, number=0x4002),
            )
        # The relayed addresses of both are of one family; each reaches the relay by its own.
        for legs, relayed in (((4, 6), 4), ((6, 4), 6)):
            yield Scenario(
                f"hairpin_{name}_from_ipv{legs[0]}_by_ipv{relayed}_to_ipv{legs[1]}",
                Turn(legs[0], relayed, *a),
                Turn(legs[1], relayed, *b, number=0x4002),
            )
    yield Scenario(
        "hairpin_from_one_interface_to_another",
        Turn(4, 4, "channel"),
        Turn(4, 4, "fingerprint", beside_peer=True),
    )
    yield Scenario(
        "hairpin_on_one_interface", Turn(4, 4, "send"), Turn(4, 4, "channel"), "one_interface"
    )


def play(bench, topology, scenario, mode):
    relay = Relay(topology, name=mode, kernel={"mode": mode}).start()
    call = Call(topology, scenario.a, scenario.b)
    lines = []
    for sender, receiver in ((call.a, call.b), (call.b, call.a)):
        for sizes in (CALL, SIZES):
            where = f"with mode {mode} from {sender.name} to {receiver.name}"
            meter = Meter(relay)
            lines += call.play(sender, receiver, sizes, seed=scenario.name)
            bench.note(f"{where}: {meter.text()}")
            judge(meter, scenario, mode, sizes, where)
    lines += accounts(relay, call)
    relay.stop()
    return lines


def accounts(relay, call):
    """What each allocation is said to have relayed; by whom differs, the sums do not."""
    lines = []
    for told in relay.ctl("allocations")["allocations"]:
        names = {f"{hostport(*address)}": name for address, name in call.names.items()}
        words = [names[told["relayed"][0]]]
        for way in ("to_peer", "to_client"):
            for unit in ("packets", "bytes"):
                words.append(f"{sum(told[by][way][unit] for by in ('kernel', 'daemon'))} {unit}")
        lines.append(", ".join(words))
    return sorted(lines)


def judge(meter, scenario, mode, sizes, where):
    carried = meter.carried()
    if mode == "off":
        check(carried == 0, f"{where} the kernel carried {carried}")
        return
    excused = meter.kernel().get("tailroom", 0) if sizes is SIZES else 0
    check(excused <= 0.04 * len(sizes), f"{where} {excused} datagrams found no room for padding")
    check(
        carried + excused >= 0.99 * len(sizes),
        f"{where} the kernel carried {carried} of {len(sizes)} packets: {meter.text()}",
    )
    if scenario.hairpin:
        by_loopback = meter.loopback()
        check(
            by_loopback <= excused + 0.01 * len(sizes),
            f"{where} {by_loopback} packets went over loopback: {meter.text()}",
        )


def same_in_every_mode(bench, name):
    (scenario,) = (s for s in scenarios() if s.name == name)
    topology = SHAPES[scenario.shape](bench)
    began = time.monotonic()
    wanted = None
    for mode in MODES:
        if mode == "generic":
            topology.leave_no_sums_open()
        lines = play(bench, topology, scenario, mode)
        bench.note(f"{mode}: {time.monotonic() - began:.1f} s from the start")
        wanted = wanted or lines
        for ours, theirs in zip(lines, wanted, strict=True):
            check(ours == theirs, f"{MODES[0]}: {theirs}; {mode}: {ours}")


for _scenario in scenarios():
    add(
        f"{_scenario.name}_looks_the_same_in_every_mode",
        "some 1,300 datagrams each way; the kernel carries 99 % each way where it is on",
        lambda bench, n=_scenario.name: same_in_every_mode(bench, n),
    )
