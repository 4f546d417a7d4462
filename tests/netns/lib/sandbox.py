# SPDX-License-Identifier: BSD-2-Clause
"""
A mount and a PID namespace around the whole run, so that nothing can be left behind: the named
network namespaces and the BPF pins live in file systems of the run's own, and every process dies
with its first one, even if that is killed with SIGKILL.
"""

import os
import signal

from . import linux

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Impossible(Exception):
    """This machine does not let us make namespaces; the text says why."""


def _enter(work):
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc")
    linux.mount("tmpfs", "/run/netns", "tmpfs", 0, "mode=755")
    linux.mount("tmpfs", work, "tmpfs", 0, "mode=755")
    if not os.path.isdir("/sys/fs/bpf"):
        raise OSError("this kernel has no /sys/fs/bpf")
    linux.mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700")


def _wait(child):
    for number in FORWARDED:
        signal.signal(number, lambda n, _: os.kill(child, n))
    while True:
        try:
            _, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)
        except InterruptedError:
            continue


def run(main):
    """
    Runs main(pid, folder) as the first process of new namespaces; returns its exit status. The
    folder is for everything it makes; the pid, ours outside, makes names unique.
    """
    if os.geteuid() != 0:
        raise Impossible("needs root")
    os.makedirs("/run/netns", exist_ok=True)
    outer = os.getpid()
    work = f"/run/tp-{outer}"
    os.mkdir(work)
    try:
        return _fork(main, outer, work)
    finally:
        os.rmdir(work)


def _fork(main, outer, work):
    try:
        linux.unshare(linux.CLONE_NEWPID)
    except OSError as e:
        raise Impossible(str(e)) from None
    broken, tell = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(broken)
            linux.die_with_parent()
            try:
                _enter(work)
            except OSError as e:
                os.write(tell, str(e).encode())
                os._exit(1)
            os.close(tell)
            status = main(outer, work)
        finally:
            os._exit(status)
    os.close(tell)
    reason = os.read(broken, 1000)
    os.close(broken)
    status = _wait(child)
    if reason:
        raise Impossible(reason.decode())
    return status
