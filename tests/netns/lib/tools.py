# SPDX-License-Identifier: BSD-2-Clause
"""What the tests need of the machine: programs that must be there, and two that are compiled."""

import os
import shutil
import subprocess

NEEDED = ("ip", "nsenter", "ethtool", "bpftool", "clang", "cc", "ss", "sysctl",
          "turnutils_uclient", "turnutils_peer")  # fmt: skip


def missing():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    return [name for name in NEEDED if not shutil.which(name)]


def compile_into(folder):
    here = os.path.dirname(os.path.abspath(__file__))
    machine = subprocess.run(["cc", "-dumpmachine"], capture_output=True, text=True, check=True)
    headers = f"/usr/include/{machine.stdout.strip()}"
    subprocess.run(
        ["clang", "-O2", "-g", "-target", "bpf", "-Wall", "-Werror", "-idirafter", headers,
         "-c", f"{here}/xdp_pass.c", "-o", f"{folder}/pass.o"],
        check=True,
    )  # fmt: skip
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC",
         f"{here}/uclient_preload.c", "-o", f"{folder}/uclient-preload.so"],
        check=True,
    )  # fmt: skip
