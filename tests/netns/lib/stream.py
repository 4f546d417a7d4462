# SPDX-License-Identifier: BSD-2-Clause
"""
Steady traffic both ways over a call, while something happens to the network; then how many
datagrams were lost each way, and how long it took until they came again.
"""

import struct
import threading
import time

from .case import Failure

HEAD = struct.Struct("!QI")  # a mark of this stream and a number


class Way:
    """From one side of a call to the other, by two threads: one sends, one receives."""

    def __init__(self, sender, receiver, names, per_second, size):
        self.name = f"{sender.name} to {receiver.name}"
        self.sender, self.receiver, self.names = sender, receiver, names
        self.every_s = 1 / per_second
        self.filler = bytes(size - HEAD.size)
        self.mark = time.monotonic_ns()
        self.sent = []  # when, by number
        self.arrived = {}  # when, by number
        self.refused = 0  # the sender's own host said so
        self.changed = threading.Condition()
        self.sending = self.receiving = True
        self.failure = None
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self._send, self._take)]

    def _send(self):
        due = time.monotonic()
        while self.sending:
            number = len(self.sent)
            with self.changed:
                self.sent.append(time.monotonic())
                self.changed.notify_all()
            try:
                self.sender.send(HEAD.pack(self.mark, number) + self.filler)
            except OSError:
                self.refused += 1
            due += self.every_s
            time.sleep(max(0, due - time.monotonic()))

    def _take(self):
        while self.receiving:
            try:
                got = self.receiver.end.receive(0.1)
            except OSError:
                continue  # an ICMP error that the socket is told of
            if not got:
                continue
            try:
                form, _, data = self.receiver.read(*got, self.names)
            except Failure as e:
                self.failure = e
                return
            mark, number = HEAD.unpack_from(data) if form != "ICMP" else (None, None)
            if mark == self.mark:
                with self.changed:
                    self.arrived[number] = time.monotonic()
                    self.changed.notify_all()

    def wait(self, what, timeout):
        with self.changed:
            if self.failure:
                raise self.failure
            if not self.changed.wait_for(what, timeout):
                raise Failure(f"no traffic {self.name} within {timeout} s")

    def lost_since(self, then):
        return [n for n, at in enumerate(self.sent) if at >= then and n not in self.arrived]


class Stream:
    def __init__(self, call, per_second=250, size=200, both=True):
        """Without `both`, only from A to B."""
        self.ways = [Way(call.a, call.b, call.names, per_second, size)]
        if both:
            self.ways.append(Way(call.b, call.a, call.names, per_second, size))
        self.per_second = per_second

    def __enter__(self):
        for way in self.ways:
            for thread in way.threads:
                thread.start()
        self.run(0.4)
        return self

    def __exit__(self, *_):
        self._end()

    def _end(self):
        for way in self.ways:
            way.sending = False
            way.threads[0].join()
        self._drain()
        for way in self.ways:
            way.receiving = False
            way.threads[1].join()

    def _drain(self):
        """Until nothing comes any more; what is still missing then is lost."""
        for way in self.ways:
            with way.changed:
                while way.changed.wait(0.2):
                    pass

    def run(self, seconds):
        """Lets the traffic flow for that long, as counted in datagrams."""
        for way in self.ways:
            wanted = len(way.sent) + int(seconds * self.per_second)
            way.wait(lambda w=way, n=wanted: len(w.sent) >= n, seconds * 5 + 5)

    def wait_flow(self, since, timeout=20):
        """Until datagrams that were sent after `since` arrive, both ways."""
        for way in self.ways:
            first = next((n for n, at in enumerate(way.sent) if at >= since), len(way.sent))
            way.wait(lambda w=way, n=first: any(k >= n for k in reversed(w.arrived)), timeout)
