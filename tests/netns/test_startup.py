# SPDX-License-Identifier: BSD-2-Clause
"""
What can be wrong where the relay starts: each a clear message that names the thing, and where only
the kernel path is what failed, a relay that serves on sockets.
"""

import os
import shutil

from lib.case import add, case, check, equal
from lib.relay import Relay, yaml
from lib.stun import ALLOCATE, TRANSPORT, Client, Endpoint
from lib.topology import Routed, TwoInterfaces

CHANNEL = 0x4002


def relays(relay, count=5, family=4):
    """Proves that a client gets through, and back."""
    topology = relay.topology
    client = Client(topology, family)
    peer = Endpoint(topology.peer_ns, topology.peer[family])
    client.allocate(family)
    client.bind(CHANNEL, peer.address)
    for i in range(count):
        text = f"packet {i}".encode()
        client.send_channel(CHANNEL, text)
        equal(peer.expect(text), (text, client.relayed), "data to the peer")
        peer.send(text, client.relayed)
        client.expect_channel(CHANNEL, text)


def says(relay, *words):
    """One line of the log has all the words, in any order."""
    lines = relay.log().splitlines()
    check(
        any(all(w.lower() in line.lower() for w in words) for line in lines),
        f"no line of the log has all of: {', '.join(words)}",
    )


def interfaces_of(relay):
    return {i["name"]: i for i in relay.ctl("status")["kernel"]["interfaces"]}


@case("kernel.interfaces names one that is not there: named in the log; the other one is used")
def missing_interface_is_named(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": "auto", "interfaces": ["rc", "nosuch0"]}).start()
    says(relay, "nosuch0", "no such")
    relays(relay)
    equal(interfaces_of(relay)["rc"]["mode"], "native", "mode of the interface that is there")


def foreign_program(bench, mode):
    topology = TwoInterfaces(bench)
    bench.attach_pass(topology.relay_ns, "rc")
    relay = Relay(topology, kernel={"mode": mode}).start()
    foreign = relay.program_on("rc")["prog"]["id"]
    says(relay, "rc", "xdp_pass", str(foreign))
    relays(relay)
    relays(relay, family=6)
    got = interfaces_of(relay)
    equal(got["rc"]["mode"], "off", "mode of the interface that was taken")
    equal(got["rp"]["mode"], "native", "mode of the other interface")
    relay.process.stop()
    check(relay.program_on("rc"), "the other program was taken away")
    equal(relay.program_on("rc")["prog"]["id"], foreign, "id of the program on rc")
    check(not relay.program_on("rp"), "our own program is left on rp")
    check(not os.path.exists(relay.pins), "pins are left")
    relay.clean = False


for _mode in ("auto", "native"):
    add(
        f"another_xdp_program_is_left_alone_with_mode_{_mode}",
        "the log names it, the relay serves on sockets there and in the kernel elsewhere",
        lambda bench, m=_mode: foreign_program(bench, m),
    )


@case("four relay ports: the fifth Allocate is answered 508; a freed port can be had again")
def port_exhaustion_is_answered_508(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, relay={"ports": "50000-50003"}).start()
    clients = [Client(topology) for _ in range(4)]
    ports = {client.allocate()[1] for client in clients}
    equal(ports, {50000, 50001, 50002, 50003}, "ports of the allocations")
    fifth = Client(topology)
    response = fifth.request(ALLOCATE, (TRANSPORT, bytes([17, 0, 0, 0])))
    equal(response.error, 508, "error code of the fifth Allocate")
    equal(relay.counters()["error_508"], 1, "counter error_508")
    clients[2].refresh(0)
    equal(fifth.allocate(), clients[2].relayed, "relayed address after one was freed")


@case("a relay port that another program has bound is passed over; the client gets the next one")
def taken_relay_port_is_passed_over(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, relay={"ports": "50000-50001"}).start()
    taken = Endpoint(topology.relay_ns, topology.relayed[4], 50000)
    equal(Client(topology).allocate()[1], 50001, "port of the allocation")
    response = Client(topology).request(ALLOCATE, (TRANSPORT, bytes([17, 0, 0, 0])))
    equal(response.error, 508, "error code when no port is left")
    taken.socket.close()
    equal(Client(topology).allocate()[1], 50000, "port once the other program is gone")
    check(relay.process.status is None, "the relay ended")


GOOD = "realm: example.org\nauth:\n  users: {alice: secret}\n"

# What is wrong, the file, and where in it. A line and column are those of the value or key.
WRONG = (
    ("an unknown key", GOOD + "colour: red\n", r":4:1: .*colour"),
    ("an unknown key in a section", GOOD + "kernel:\n  modus: auto\n", r":5:3: .*modus"),
    ("an unknown mode", GOOD + "kernel:\n  mode: fast\n", r":5:9: .*fast.*native"),
    ("a number that is none", GOOD + "workers: many\n", r":4:10: .*many"),
    ("a number out of range", GOOD + "workers: 1000\n", r":4:10: .*64"),
    ("ports the wrong way round", GOOD + "relay:\n  ports: 6000-5000\n", r":5:10: "),
    ("an address that is none", GOOD + 'listen:\n  - udp: "example:3478"\n', r":5:10: .*example"),
    ("a prefix that is none", GOOD + "peers:\n  allow: [10.0.0.0/99]\n", r":5:11: .*10\.0\."),
    ("no YAML", "realm: [example.org\n", r":\d+:\d+: "),
    ("an address no interface has", GOOD + "listen:\n  - udp: 192.0.2.99:3478\n",
     r":5:10: .*192\.0\.2\.99.*10\.77\.1\.1"),
    ("no realm", "auth:\n  users: {alice: secret}\n", r":.*realm"),
    ("no users", "realm: example.org\n", r":.*auth"),
)  # fmt: skip


@case("each mistake: FILE:LINE:COLUMN and what is allowed, exit status 1, with and without -t")
def configuration_mistakes_are_shown_with_their_place(bench):
    topology = TwoInterfaces(bench)
    for what, text, pattern in WRONG:
        file = bench.write("wrong.yaml", text)
        for extra in (["--check-config"], []):
            program = bench.start(
                what,
                *(bench.program("turnpiked"), "--config", file, *extra),
                namespace=topology.relay_ns,
            )
            equal(program.wait(10), 1, f"exit status with {what}")
            check(program.find(f"^{file}{pattern}"), f"{what}: no line like FILE{pattern}")


@case("--check-config accepts the configuration that all these tests use, and starts nothing")
def check_config_accepts_a_good_file(bench):
    topology = TwoInterfaces(bench)
    file = bench.write("good.yaml", yaml(Relay(topology).config) + "\n")
    out = bench.run(
        bench.program("turnpiked"), "--config", file, "--check-config",
        namespace=topology.relay_ns,
    )  # fmt: skip
    check("ready" not in out, "it started")


@case("kernel.mode auto without any capability: served on sockets, and the log says what it lacks")
def unprivileged_relay_serves_on_sockets(bench):
    topology = TwoInterfaces(bench)
    home = bench.path("home")
    os.mkdir(home)
    os.chown(home, 65534, 65534)
    program = shutil.copy(bench.program("turnpiked"), bench.path("turnpiked"))
    relay = Relay(topology, kernel={"mode": "auto"}, control={"socket": f"{home}/control.sock"})
    relay.socket = f"{home}/control.sock"
    relay.start(
        program=program,
        wrapper=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
    )  # fmt: skip
    says(relay, "no kernel path", "cap_")
    equal(relay.ctl("status")["kernel"]["mode"], "off", "kernel mode")
    relays(relay)


UNMOUNT = "while mountpoint -q /sys/fs/bpf; do umount /sys/fs/bpf || exit 9; done; exec \"$@\""


@case("no bpffs is mounted: the relay mounts it, says so, and its channels are in the kernel")
def bpffs_is_mounted_if_it_is_not_there(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": "auto"})
    relay.start(wrapper=("unshare", "-m", "sh", "-c", UNMOUNT, "sh"))
    equal(relay.ctl("status")["kernel"]["mode"], "native", "kernel mode")
    relays(relay)
    carried = relay.ctl("stats")["kernel"]["to_peer"]["packets"]
    check(carried >= 3, f"the kernel carried {carried} of 5 packets")
    pins = f"/proc/{relay.process.pid}/root{relay.pins}"
    check(os.path.exists(f"{pins}/stats"), "nothing is pinned in the bpffs it mounted")


@case("a pin path outside of any bpffs: the log names it and the remedy; served on sockets")
def pin_path_outside_of_bpffs_is_named(bench):
    topology = TwoInterfaces(bench)
    path = bench.path("not-bpffs")
    relay = Relay(topology, kernel={"mode": "auto", "pin_path": path}).start()
    says(relay, "no kernel path", path)
    relays(relay)


@case("kernel.mode off: no program, no pin, and the status says that it is so by configuration")
def mode_off_touches_nothing(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": "off"}).start()
    relays(relay)
    relay.leaves_nothing_of_the_kernel()
    kernel = relay.ctl("status")["kernel"]
    equal(kernel["mode"], "off", "kernel mode")
    check("off" in kernel["reason"], f"the reason is {kernel['reason']!r}")


@case("more channels than the kernel tables hold: those stay on sockets, counted and logged once")
def full_kernel_tables_leave_channels_on_sockets(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, limits={"allocations": 2}, workers=1).start()
    client = Client(topology)
    client.allocate()
    peers = [Endpoint(topology.peer_ns, topology.peer[4]) for _ in range(12)]
    for i, peer in enumerate(peers):
        client.bind(0x4000 + i, peer.address)
    for _ in range(2):
        for i, peer in enumerate(peers):
            client.send_channel(0x4000 + i, b"ping")
            equal(peer.expect("data"), (b"ping", client.relayed), "data to the peer")
            peer.send(b"pong", client.relayed)
            client.expect_channel(0x4000 + i, b"pong")
    (told,) = relay.ctl("allocations")["allocations"]
    paths = [c["path"] for c in told["channels"]]
    equal(len(paths), len(peers), "channels that turnpikectl lists")
    check("kernel" in paths and "daemon" in paths, f"paths of the channels: {paths}")
    check(relay.counters()["flows_full"] > 0, "flows_full was not counted")
    says(relay, "full", "limits.allocations")
    flows = relay.ctl("status")["kernel"]["flows"]
    # The permission gives its slot back: with channels on sockets it would change their form.
    check(flows["used"] >= flows["size"] - 1, f"of the kernel's flows are used: {flows}")


@case("no kernel.interfaces: those that carry the addresses are attached")
def interfaces_are_found_by_their_addresses(bench):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": "auto"})
    del relay.config["kernel"]["interfaces"]
    relay.start()
    equal({n: i["mode"] for n, i in interfaces_of(relay).items()}, {"rc": "native", "rp": "native"},
          "interfaces and their modes")  # fmt: skip
    relays(relay)
    carried = relay.kernel_counters()["to_peer"]
    check(carried >= 3, f"the kernel carried {carried} of 5 packets")


# A /run of its own: without a configuration the control socket is where a host's relay has it.
OWN_RUN = 'mount -t tmpfs tmpfs /run && exec "$@"'


@case("turnpiked --auto finds address and interface, and prints credentials that work")
def automatic_configuration_serves_a_client(bench):
    topology = Routed(bench)
    program = bench.start(
        "turnpiked --auto",
        *("unshare", "-m", "sh", "-c", OWN_RUN, "sh", bench.program("turnpiked"), "--auto"),
        namespace=topology.relay_ns,
    )
    program.wait_for(r"\bready\b", 15)
    for family in (4, 6):
        address = topology.listen[family]
        check(program.find(rf"turn:\[?{address}\]?:3478"), f"no URL has the address {address}")
    client = Client(topology)
    client.user = program.wait_for(r'username: "(.+)"')[1]
    client.password = program.wait_for(r'credential: "(.+)"')[1]
    relayed = client.allocate()
    equal(relayed[0], topology.listen[4], "relayed address")
    other = Client(topology)
    other.user, other.password = client.user, client.password
    other.allocate()
    other.permit(client.relayed)
    client.bind(CHANNEL, other.relayed)
    client.send_channel(CHANNEL, b"from one allocation to the other")
    other.expect("a Data indication from the first allocation")
    text = bench.run("ip", "-n", topology.relay_ns, "-d", "link", "show", "r0")
    check("xdp" in text, "no XDP program on the interface that leads out")
    equal(program.stop(), 0, "exit status")
    text = bench.run("ip", "-n", topology.relay_ns, "-d", "link", "show", "r0")
    check("prog/xdp" not in text, "an XDP program is left")


def attached_as(bench, mode, wanted):
    topology = TwoInterfaces(bench)
    relay = Relay(topology, kernel={"mode": mode}).start()
    for name, told in interfaces_of(relay).items():
        equal(told["mode"], wanted, f"mode of {name} that status tells")
        number = {"native": 1, "generic": 2}[wanted]
        equal(relay.program_on(name)["mode"], number, f"mode of {name}")


for _mode, _wanted in (("auto", "native"), ("native", "native"), ("generic", "generic")):
    add(
        f"mode_{_mode}_attaches_{_wanted}_programs_to_veth",
        "status and the kernel agree",
        lambda bench, m=_mode, w=_wanted: attached_as(bench, m, w),
    )
