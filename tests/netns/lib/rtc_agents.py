#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
usage: rtc_agents.py SERVER PORT USER PASSWORD SECONDS

Two aiortc agents, each with a relay candidate only and both from one relay, hold a data channel:
each sends 50 messages a second for that long, and everything must come, in order. Says "open" when
the channel is, "held" with totals at the end, and closes it when SIGUSR1 comes.
"""

import asyncio
import signal
import sys
import time

import aioice
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, rtcicetransport

EVERY_S = 0.02


def relay_only():
    """aiortc hands its servers to aioice, but has no name for aioice's policy."""
    plain = rtcicetransport.connection_kwargs

    def with_policy(servers):
        return {**plain(servers), "transport_policy": aioice.TransportPolicy.RELAY}

    rtcicetransport.connection_kwargs = with_policy


class Agent:
    """One end of the data channel: numbered messages out, the other's counted and checked."""

    def __init__(self):
        self.sent = self.received = 0
        self.opened = asyncio.Event()
        self.channel = None

    def adopt(self, channel):
        self.channel = channel
        channel.on("message", self.take)
        self.opened.set()

    def take(self, text):
        if text.split()[0] != str(self.received):
            sys.exit(f"message {self.received} came as {text.split()[0]}")
        self.received += 1

    async def send_until(self, end):
        while time.monotonic() < end:
            self.channel.send(f"{self.sent} " + "x" * (20 + self.sent * 7 % 900))
            self.sent += 1
            await asyncio.sleep(EVERY_S)


async def introduce(a, b):
    await a.setLocalDescription(await a.createOffer())
    await b.setRemoteDescription(a.localDescription)
    await b.setLocalDescription(await b.createAnswer())
    await a.setRemoteDescription(b.localDescription)
    for line in (a.localDescription.sdp + b.localDescription.sdp).splitlines():
        if line.startswith("a=candidate:"):
            print(line, flush=True)
            if " typ relay" not in line:
                sys.exit("that is no relay candidate")


async def main(server, port, user, password, seconds):
    loop = asyncio.get_event_loop()
    close = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, close.set)
    relay_only()
    url = f"turn:{server}:{port}?transport=udp"
    config = RTCConfiguration([RTCIceServer(urls=url, username=user, credential=password)])
    connections = RTCPeerConnection(config), RTCPeerConnection(config)
    agents = Agent(), Agent()
    connections[1].on("datachannel", agents[1].adopt)
    channel = connections[0].createDataChannel("held")
    channel.on("open", lambda: agents[0].adopt(channel))
    await introduce(*connections)
    await asyncio.wait_for(asyncio.gather(*(a.opened.wait() for a in agents)), 20)
    print("open", flush=True)
    end = time.monotonic() + seconds
    await asyncio.gather(*(a.send_until(end) for a in agents))
    for one, other in (agents, agents[::-1]):
        deadline = time.monotonic() + 10
        while one.received < other.sent:
            if time.monotonic() > deadline:
                sys.exit(f"{one.received} of {other.sent} messages came")
            await asyncio.sleep(EVERY_S)
    print(f"held {agents[0].sent} {agents[1].sent}", flush=True)
    await close.wait()
    await asyncio.gather(*(c.close() for c in connections))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], float(sys.argv[5])))
