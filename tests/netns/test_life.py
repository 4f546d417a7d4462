# SPDX-License-Identifier: BSD-2-Clause
"""How the daemon ends, is ended and comes back, and what calls notice of it."""

import os
import signal

from lib.case import add, case, check, equal
from lib.relay import Relay
from lib.stun import BINDING, Client, Endpoint
from lib.topology import OneInterface, TwoInterfaces
from test_forms import CHANNEL, Call


def leaves_nothing(bench, number, mode):
    call = Call(bench, mode)
    topology, relay = call.topology, call.relay
    if mode != "off":
        check(os.path.exists(f"{relay.pins}/stats"), "nothing is pinned while it runs")
        for device in topology.interfaces:
            check(relay.program_on(device), f"no XDP program on {device} while it runs")
    relay.stop(number)
    equal(bench.run("ip", "netns", "pids", topology.relay_ns), "", "processes left in the host")
    equal(bench.run("ss", "-Hlnu", namespace=topology.relay_ns), "", "sockets left")


for _name in ("SIGINT", "SIGTERM"):
    for _mode in ("native", "generic", "off"):
        add(
            f"{_name.lower()}_leaves_nothing_behind_with_mode_{_mode}",
            "in the middle of a call: no pin, no XDP program, no socket, exit status 0",
            lambda bench, n=getattr(signal, _name), m=_mode: leaves_nothing(bench, n, m),
        )


def killed(bench, shape):
    call = Call(bench, "native", shape=shape)
    relay = call.relay
    relay.clean = False
    relay.process.kill()
    for _ in range(50):
        call.up(os.urandom(200))
        call.down(os.urandom(200))
    equal(call.carried_since(), (50, 50), "packets that the kernel carried")
    status, _, text = bench.run(
        bench.program("turnpikectl"), "--socket", relay.socket, "status", ok=False
    )
    check(status != 0 and relay.socket in text, f"turnpikectl does not say who is missing: {text}")
    again(call)


def again(call):
    """The next daemon with the same configuration takes over, and ends cleanly in its time."""
    relay = call.relay
    topology = call.topology
    second = Relay(topology, name="restarted", kernel={"pin_path": relay.pins},
                   control={"socket": relay.socket})  # fmt: skip
    second.pins, second.socket = relay.pins, relay.socket
    second.start()
    for device in topology.interfaces:
        check(second.program_on(device), f"no XDP program on {device} after the restart")
    # What the old daemon had promised is not the new one's: its flow is gone.
    before = second.counters()["drop_no_allocation"]
    call.client.send_channel(CHANNEL, b"to the old daemon's allocation")
    second.wait_counter("drop_no_allocation", before + 1)
    check(call.peer.receive(0) is None, "an old flow is still carried after the restart")
    call.client.realm = call.client.nonce = None
    call.relayed = call.client.allocate()
    call.client.bind(CHANNEL, call.peer.address)
    call.relay = second
    call.warm_up("native")
    start = call.carried()
    for _ in range(20):
        call.up(os.urandom(200))
        call.down(os.urandom(200))
    now = call.carried()
    equal((now[0] - start[0], now[1] - start[1]), (20, 20), "packets that the kernel carried")


for _shape in (TwoInterfaces, OneInterface):
    add(
        f"calls_go_on_when_the_daemon_is_killed_{_shape.name}",
        "SIGKILL: the pinned program carries on; a new daemon takes over and ends cleanly",
        lambda bench, s=_shape: killed(bench, s),
    )


@case("20 times start, a call, SIGINT; then SIGKILL and start: each time a relay that works")
def restarts_do_not_wear_out(bench):
    topology = TwoInterfaces(bench)
    for i in range(10):
        relay = Relay(topology).start()
        client = Client(topology)
        peer = Endpoint(topology.peer_ns, topology.peer[4])
        client.allocate()
        client.bind(CHANNEL, peer.address)
        client.send_channel(CHANNEL, b"hello")
        equal(peer.expect("data"), (b"hello", client.relayed), "data")
        if i % 2:
            relay.clean = False
            relay.process.kill()
        else:
            relay.stop()
    relay = Relay(topology).start()
    relay.stop()


@case("a second daemon on the same port ends with a message; the first is not disturbed")
def second_daemon_on_the_same_port_says_so(bench):
    call = Call(bench, "native")
    second = Relay(call.topology, name="second")
    second.clean = False
    second.start(wait=False)
    check(second.process.wait(10) not in (0, None), "the second daemon ended with status 0")
    address = f"{call.topology.listen[4]}:3478"
    check(
        second.process.find(rf"{address}.*(in use|another)"),
        f"no line names {address} and why",
    )
    call.up(b"still here")
    call.down(b"still here")
    for device in call.topology.interfaces:
        check(call.relay.program_on(device), f"the first daemon's program on {device} is gone")
    check(os.path.exists(f"{call.relay.pins}/stats"), "the first daemon's pins are gone")


@case("a second daemon with the same control socket ends with a message that names it")
def second_daemon_on_the_same_control_socket_says_so(bench):
    call = Call(bench, "native")
    second = Relay(call.topology, name="second", control={"socket": call.relay.socket},
                   kernel={"pin_path": call.relay.pins})  # fmt: skip
    second.clean = False
    second.start(wait=False)
    check(second.process.wait(10) not in (0, None), "the second daemon ended with status 0")
    check(second.process.find(f"another.*{call.relay.socket}"), "no line names the socket")
    equal(call.relay.ctl("status")["pid"], call.relay.process.pid, "who answers on the socket")
    call.up(b"still here")
    check(os.path.exists(f"{call.relay.pins}/stats"), "the first daemon's pins are gone")


@case("the peer gets another MAC address: the kernel path follows what the host learns")
def new_neighbour_address_is_followed(bench):
    call = Call(bench, "native")
    topology = call.topology
    topology.ip(topology.peer_ns, "link", "set", "p0", "address", "02:00:00:00:77:01")
    # The peer asks for the relay's address anew, and by that tells its own.
    topology.ip(topology.peer_ns, "neigh", "flush", "dev", "p0")
    topology.ip(topology.relay_ns, "neigh", "flush", "dev", "rp")
    carries_again(call)
    call.down(b"and back")


def carries_again(call):
    """Until the kernel is seen to carry a packet that arrives; others may be lost meanwhile."""
    for _ in range(100):
        before = call.carried()
        call.client.send_channel(CHANNEL, b"are you there?")
        if call.peer.receive(0.1) and call.carried()[0] > before[0]:
            return
    check(False, "the kernel does not carry the channel again")


@case("a link that goes down and up again: calls go on afterwards, in the kernel")
def link_flap_is_survived(bench):
    call = Call(bench, "native")
    topology = call.topology
    topology.ip(topology.relay_ns, "link", "set", "rp", "down")
    check(call.client.must(BINDING), "no answer while the peer's side is down")
    topology.ip(topology.relay_ns, "link", "set", "rp", "up")
    # Until the neighbour is found again the daemon relays, or data is lost as with any router.
    carries_again(call)
