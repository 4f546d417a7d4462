# SPDX-License-Identifier: BSD-2-Clause
"""The relay under test: its configuration, its process, what it says about itself, its counters."""

import json
import os
import signal
import time

from .case import Failure, check, equal

USER, PASSWORD, REALM = "alice", "correct-horse", "example.org"
PORT = 3478


def hostport(ip, port):
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def yaml(value, indent=0):
    """Enough YAML for a configuration: maps, lists, and scalars in double quotes or bare."""
    pad = "  " * indent
    lines = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                lines += [f"{pad}{json.dumps(str(key))}:", yaml(item, indent + 1)]
            else:
                lines.append(f"{pad}{json.dumps(str(key))}: {json.dumps(item)}")
    else:
        for item in value:
            if isinstance(item, dict):
                (key, text), = item.items()
                lines.append(f"{pad}- {json.dumps(str(key))}: {json.dumps(text)}")
            else:
                lines.append(f"{pad}- {json.dumps(item)}")
    return "\n".join(lines)


def merged(base, changes):
    out = dict(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out


class Relay:
    def __init__(self, topology, name="relay", **changes):
        """`changes` go over the default configuration, section by section."""
        self.bench = topology.bench
        self.topology = topology
        self.name = name
        self.process = None
        self.pins = f"/sys/fs/bpf/{self.bench.prefix}/{name}"
        self.socket = self.bench.path(f"{name}.sock")
        self.config = merged(self._default(), changes)
        self.mode = self.config["kernel"]["mode"]
        self.clean = True  # it is expected to end well and to leave nothing behind
        self.bench.relays.append(self)

    def _default(self):
        t = self.topology
        return {
            "realm": REALM,
            "listen": [{"udp": hostport(ip, PORT)} for ip in t.listen.values()],
            "relay": {"addresses": list(t.relayed.values()), "ports": "50000-59999"},
            "auth": {"users": {USER: PASSWORD}},
            "peers": {"allow": ["10.77.0.0/16", "fd77::/16"]},
            "limits": {"allocations": 1000, "allocations_per_user": 0},
            "kernel": {"mode": "native", "interfaces": t.interfaces, "pin_path": self.pins},
            "control": {"socket": self.socket},
            "workers": 2,
        }

    def start(self, wait=True, wrapper=(), program=None):
        file = self.bench.write(f"{self.name}.yaml", yaml(self.config) + "\n")
        self.process = self.bench.start(
            self.name,
            *wrapper,
            program or self.bench.program("turnpiked"),
            "--config",
            file,
            namespace=self.topology.relay_ns,
        )
        if wait:
            self.process.wait_for(r"\bready\b", 15)
        return self

    def finish(self):
        """A relay that was started and not yet ended must be alive, and end as it should."""
        if not self.process or self.process.status is not None and not self.clean:
            return
        if self.process.status is not None:
            raise Failure(f"{self.name} ended with {self.process.status} before the test did")
        if self.clean:
            self.stop()

    def stop(self, number=signal.SIGINT):
        equal(self.process.stop(number), 0, f"exit status of {self.name}")
        self.clean = False
        self.leaves_nothing()

    def leaves_nothing(self):
        check(not os.path.exists(self.socket), f"the control socket is left: {self.socket}")
        self.leaves_nothing_of_the_kernel()

    def leaves_nothing_of_the_kernel(self):
        check(not os.path.exists(self.pins), f"pins are left: {self.pins}")
        for device in self.topology.interfaces:
            check(not self.program_on(device), f"an XDP program is left on {device}")

    def program_on(self, device):
        """The attached XDP program as `ip` tells it: {"mode": 1 native, 2 generic}, or None."""
        text = self.bench.run("ip", "-n", self.topology.relay_ns, "-j", "link", "show", device)
        return json.loads(text)[0].get("xdp")

    def ctl(self, command):
        text = self.bench.run(
            self.bench.program("turnpikectl"), "--socket", self.socket, "--json", command
        )
        answer = json.loads(text)
        return answer.get("result", answer) if isinstance(answer, dict) else answer

    def counters(self):
        """The daemon's own, by name."""
        return {name: c["value"] for name, c in self.ctl("stats")["daemon"].items()}

    def wait_counter(self, name, least, timeout=10):
        """Asks again and again, until the daemon's counter has grown that far."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.counters()[name]
            if value >= least:
                return value
            if time.monotonic() > deadline:
                raise Failure(f"counter {name} is {value} after {timeout} s, not {least}")

    def kernel_counters(self):
        """{verdict: packets} out of the pinned map, as anyone can read it; empty without one."""
        if not os.path.exists(f"{self.pins}/stats"):
            return {}
        text = self.bench.run("bpftool", "-j", "map", "dump", "pinned", f"{self.pins}/stats")
        return sum_stats(json.loads(text))

    def slots(self):
        """The numbers of the slots that IPv4 flows are in."""
        text = self.bench.run("bpftool", "-j", "map", "dump", "pinned", f"{self.pins}/flows4")
        entries = [e.get("formatted", e) for e in json.loads(text)]
        return [e["value"]["slot"] for e in entries]

    def set_slot_expiry(self, slot, ns):
        """Writes expires_ns, the second 8 bytes of a slot, leaving the others as they are."""
        where = ("pinned", f"{self.pins}/slots", "key", "hex")
        key = slot.to_bytes(4, "little").hex(" ").split()
        text = self.bench.run("bpftool", "-j", "map", "lookup", *where, *key)
        value = bytes(int(b, 16) for b in json.loads(text)["value"])
        value = value[:8] + ns.to_bytes(8, "little") + value[16:]
        self.bench.run("bpftool", "map", "update", *where, *key, "value", "hex",
                       *value.hex(" ").split())  # fmt: skip

    def log(self):
        return self.process.text()


def sum_stats(dump):
    """The packets of each verdict, over all CPUs, in what `bpftool -j map dump` prints."""
    totals = {}
    for entry in dump:
        entry = entry.get("formatted", entry)
        for cpu in entry["values"]:
            for verdict, counter in cpu["value"].items():
                totals[verdict] = totals.get(verdict, 0) + int(counter["packets"])
    return totals
