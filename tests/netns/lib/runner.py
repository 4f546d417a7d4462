# SPDX-License-Identifier: BSD-2-Clause
"""
Runs tests, each in a process of its own: quiet ones side by side, those with much traffic alone.
Prints a line per test, under it what was measured and, under a failure, what the programs of that
test had said.
"""

import fnmatch
import os
import select
import signal
import sys
import time
import traceback

from . import linux, sandbox, tools
from .bench import Bench
from .case import Failure, Skip

AT_ONCE = 4


class Interrupted(BaseException):
    pass


def _interrupt(number, _):
    raise Interrupted(number)


class Running:
    """One test in its child process, and the pipe that its verdict comes through."""

    def __init__(self, case, pid, pipe):
        self.case, self.pid, self.pipe = case, pid, pipe
        self.began = time.monotonic()
        self.deadline = self.began + case.timeout
        self.asked_to_end = False
        self.text = b""


class Runner:
    def __init__(self, build, cases, prefix, work):
        self.build, self.prefix, self.work = build, prefix, work
        self.waiting = list(cases)
        self.running = []
        self.passed = self.failed = self.skipped = 0
        self.started = 0

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            while self.waiting or self.running:
                self._start_some()
                self._collect()
        except Interrupted as e:
            self._end_all()
            print(f"interrupted by signal {e.args[0]}", flush=True)
            self.failed += 1
        print(
            f"\n{self.passed} passed, {self.failed} failed, {self.skipped} skipped",
            flush=True,
        )
        return 0 if self.failed == 0 else 1

    def _may_start(self, case):
        if case.alone or any(r.case.alone for r in self.running):
            return not self.running
        return len(self.running) < AT_ONCE

    def _start_some(self):
        while self.waiting and self._may_start(self.waiting[0]):
            case = self.waiting.pop(0)
            self.started += 1
            out, into = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(out)
                _child(case, self.build, f"{self.prefix}-{self.started}", self.work, into)
            os.close(into)
            self.running.append(Running(case, pid, out))

    def _collect(self):
        now = time.monotonic()
        until = min(r.deadline for r in self.running)
        ready, _, _ = select.select([r.pipe for r in self.running], [], [], max(0, until - now))
        for test in list(self.running):
            if test.pipe in ready:
                data = os.read(test.pipe, 65536)
                test.text += data
                if not data:
                    self._ended(test)
            elif time.monotonic() >= test.deadline:
                self._too_long(test)

    def _too_long(self, test):
        # First it may clean up and tell what happened; the second time it is ended.
        os.kill(test.pid, signal.SIGKILL if test.asked_to_end else signal.SIGTERM)
        test.asked_to_end = True
        test.deadline = time.monotonic() + 20

    def _ended(self, test):
        os.close(test.pipe)
        os.waitpid(test.pid, 0)
        self.running.remove(test)
        verdict, _, rest = test.text.decode(errors="replace").partition("\n")
        if test.asked_to_end:
            verdict = f"FAIL {test.case.name}: no end within {test.case.timeout} s"
        elif not verdict:
            verdict = f"FAIL {test.case.name}: its process died"
        print(f"{verdict} ({time.monotonic() - test.began:.1f} s)")
        if rest.strip():
            print("\n".join(f"    {line}" for line in rest.rstrip().splitlines()))
        sys.stdout.flush()
        word = verdict.split()[0]
        self.passed += word == "ok"
        self.failed += word == "FAIL"
        self.skipped += word == "SKIP"

    def _end_all(self):
        for test in self.running:
            os.kill(test.pid, signal.SIGTERM)
        for test in self.running:
            os.waitpid(test.pid, 0)
            print(f"FAIL {test.case.name}: interrupted")


def _verdict(case, bench):
    """Runs the test; returns its line and what to show under it."""
    try:
        case.function(bench)
        bench.finish()
        return f"ok {case.name}", bench.figures
    except Skip as e:
        return f"SKIP {case.name}: {e}", []
    except Failure as e:
        first, *more = str(e).splitlines()
        return f"FAIL {case.name}: {first}", more + bench.report()
    except Interrupted:
        return f"FAIL {case.name}: ended from outside", bench.report()
    except Exception as e:  # pylint: disable=broad-except
        trace = traceback.format_exc().splitlines()
        return f"FAIL {case.name}: {type(e).__name__}: {e}".splitlines()[0], trace + bench.report()


def _child(case, build, prefix, work, into):
    linux.die_with_parent()
    status = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        bench = Bench(build, prefix, work)
        try:
            line, more = _verdict(case, bench)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            bench.close()
        with open(into, "w", encoding="utf-8") as pipe:
            pipe.write("\n".join([line, *more]) + "\n")
        status = 0
    finally:
        os._exit(status)


def _unmet(build):
    """Why no test can be run here, or None."""
    missing = tools.missing()
    if missing:
        return f"these programs are missing: {' '.join(missing)}"
    for name in ("turnpiked", "turnpikectl"):
        if not os.access(f"{build}/{name}", os.X_OK):
            return f"there is no {build}/{name}: run make first"
    return None


def _choose(cases, patterns):
    return [
        c
        for c in cases
        if (not patterns and c.default)
        or any(fnmatch.fnmatch(c.name, p) or p in c.name for p in patterns)
    ]


def main(cases, build, patterns):
    chosen = _choose(cases, patterns)
    if not chosen:
        print(f"FAIL netns: no test has a name like {' '.join(patterns)}")
        return 2

    def inside(outer, work):
        tools.compile_into(work)
        return Runner(build, chosen, f"tp-{outer}", work).run()

    why = _unmet(build) if os.geteuid() == 0 else None
    if why:
        print(f"FAIL netns: {why}")
        return 2
    try:
        return sandbox.run(inside)
    except sandbox.Impossible as e:
        for c in chosen:
            print(f"SKIP {c.name}: {e}")
        print(f"\n0 passed, 0 failed, {len(chosen)} skipped")
        return 0
