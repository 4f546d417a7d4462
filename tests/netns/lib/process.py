# SPDX-License-Identifier: BSD-2-Clause
"""
Programs that a test starts: each runs in a network namespace, its output is kept line by line,
and the test waits for what it says or for its end, never for time to pass.
"""

import os
import re
import signal
import subprocess
import threading
import time

from . import linux
from .case import Failure

LINES_MAX = 50000


def in_namespace(namespace, argv):
    # Not `ip netns exec`: that mounts a /sys of its own, in which pinned BPF objects vanish.
    return ["nsenter", f"--net=/run/netns/{namespace}", *argv] if namespace else list(argv)


class Program:
    def __init__(self, name, argv, namespace=None, env=None, changed=None):
        self.name = name
        self.argv = in_namespace(namespace, [str(a) for a in argv])
        self.lines = []
        self.changed = changed or threading.Condition()
        self.process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            preexec_fn=linux.die_with_parent,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.process.stdout:
            with self.changed:
                if len(self.lines) < LINES_MAX:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        self.process.wait()
        with self.changed:
            self.changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    @property
    def status(self):
        """None while it runs; otherwise the exit status, negative for a signal."""
        return None if self.reader.is_alive() else self.process.returncode

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    def find(self, pattern, since=0):
        with self.changed:
            for line in self.lines[since:]:
                match = re.search(pattern, line)
                if match:
                    return match
        return None

    def wait_for(self, pattern, timeout=10, since=0):
        """The first line from `since` on that matches; a Failure if it ends without."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                match = self.find(pattern, since)
                if match:
                    return match
                if self.status is not None:
                    raise Failure(f"{self.name} ended with {self.status} before saying /{pattern}/")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failure(f"{self.name} did not say /{pattern}/ within {timeout} s")
                # The reader thread ends just after its last notification: look again soon.
                self.changed.wait(min(left, 0.1))

    def wait(self, timeout=10, unless_dies=None):
        """Its exit status. A Failure if that takes too long, or if another program dies first."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while self.status is None:
                if unless_dies and unless_dies.status is not None:
                    raise Failure(
                        f"{unless_dies.name} ended with {unless_dies.status} "
                        f"while {self.name} was running"
                    )
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failure(f"{self.name} did not end within {timeout} s")
                self.changed.wait(min(left, 0.1))
        return self.status

    def send_signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Ends it and returns its exit status; SIGKILL, and a Failure, if it does not listen."""
        self.send_signal(number)
        try:
            return self.wait(timeout)
        except Failure:
            self.kill()
            raise

    def kill(self):
        self.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join(5)

    def report(self, tail=40):
        with self.changed:
            lines = self.lines[-tail:]
            cut = len(self.lines) - len(lines)
        status = "running" if self.status is None else f"ended with {self.status}"
        head = f"{self.name} ({status}): {' '.join(self.argv)}"
        return [head] + ([f"  … {cut} lines before"] if cut else []) + [f"  {l}" for l in lines]
