# SPDX-License-Identifier: BSD-2-Clause
"""
What one test is given: a folder, namespaces and programs of its own, all of which go when it ends,
however it ends.
"""

import contextlib
import os
import shutil
import subprocess
import threading

from .case import Failure
from .process import Program, in_namespace


class Bench:
    def __init__(self, build, prefix, work, folder=None):
        self.build = os.path.abspath(build)
        self.prefix = prefix  # tp-PID-NUMBER: names of namespaces, pins and folders begin with it
        self.tools = work  # folder with what the run compiled for the tests
        self.folder = folder or os.path.join(work, prefix)
        os.makedirs(self.folder, exist_ok=True)
        self.changed = threading.Condition()
        self.programs = []
        self.notes = []
        self.figures = []
        self.relays = []
        self.namespaces = []
        self.cleanups = contextlib.ExitStack()

    def note(self, text):
        """A line that is shown only if the test fails."""
        self.notes.append(text)

    def figure(self, text):
        """A line that is shown under the test's verdict, whichever it is: what was measured."""
        self.figures.append(text)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def program(self, name):
        return os.path.join(self.build, name)

    def run(self, *argv, namespace=None, ok=True, timeout=20):
        """Runs a short command; returns its output, with ok=False (status, output, errors)."""
        command = in_namespace(namespace, [str(a) for a in argv])
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(command)}: no end within {timeout} s") from None
        out = done.stdout.decode(errors="replace")
        err = done.stderr.decode(errors="replace")
        if ok and done.returncode != 0:
            why = (err or out).strip()
            raise Failure(f"{' '.join(command)}: exit status {done.returncode}: {why}")
        return out if ok else (done.returncode, out, err)

    def start(self, name, *argv, namespace=None, env=None):
        program = Program(name, argv, namespace, env, self.changed)
        self.programs.append(program)
        return program

    def add_namespace(self, name):
        full = f"{self.prefix}-{name}"
        self.run("ip", "netns", "add", full)
        self.namespaces.append(full)
        return full

    def attach_pass(self, namespace, device):
        """A native XDP program that passes everything, as a veth's far end needs it."""
        self.run(
            "ip", "-n", namespace, "link", "set", "dev", device,
            "xdpdrv", "obj", os.path.join(self.tools, "pass.o"), "sec", "xdp",
        )  # fmt: skip

    def finish(self):
        """At the end of a test that went well: the relays must end as they should."""
        for relay in self.relays:
            relay.finish()

    def report(self):
        lines = self.figures + self.notes
        for program in self.programs:
            lines += program.report()
        return lines

    def close(self):
        for program in self.programs:
            with contextlib.suppress(Exception):
                program.kill()
        self.cleanups.close()
        for namespace in self.namespaces:
            command = ["ip", "netns", "del", namespace]
            subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(f"/sys/fs/bpf/{self.prefix}", ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
