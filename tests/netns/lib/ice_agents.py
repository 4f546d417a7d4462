#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
usage: ice_agents.py SERVER PORT USER PASSWORD MESSAGES

Two aioice agents, each with a relay candidate only and both from one relay, connect and send
messages to each other; everything must come, in order. Prints the pair of candidates and a total.
"""

import asyncio
import sys

import aioice


def make_agent(controlling, server, user, password):
    return aioice.Connection(
        ice_controlling=controlling,
        turn_server=server,
        turn_username=user,
        turn_password=password,
        use_ipv6=":" in server[0],
        use_ipv4=":" not in server[0],
        transport_policy=aioice.TransportPolicy.RELAY,
    )


async def introduce(a, b):
    """What signalling would do: b learns a's candidates and secrets."""
    for candidate in a.local_candidates:
        if candidate.type != "relay":
            sys.exit(f"not a relay candidate: {candidate}")
        print(f"candidate: {candidate.to_sdp()}")
        await b.add_remote_candidate(candidate)
    await b.add_remote_candidate(None)
    b.remote_username, b.remote_password = a.local_username, a.local_password


async def exchange(a, b, messages):
    for i in range(messages):
        text = f"message {i} ".encode() * (1 + i % 50)
        await a.send(text)
        got = await asyncio.wait_for(b.recv(), 5)
        if got != text:
            sys.exit(f"message {i} arrived changed")


async def main(server, user, password, messages):
    a = make_agent(True, server, user, password)
    b = make_agent(False, server, user, password)
    await asyncio.gather(a.gather_candidates(), b.gather_candidates())
    await introduce(a, b)
    await introduce(b, a)
    await asyncio.wait_for(asyncio.gather(a.connect(), b.connect()), 20)
    print("connected")
    await exchange(a, b, messages)
    await exchange(b, a, messages)
    await asyncio.gather(a.close(), b.close())
    print(f"exchanged {2 * messages} messages")


if __name__ == "__main__":
    asyncio.run(main((sys.argv[1], int(sys.argv[2])), sys.argv[3], sys.argv[4], int(sys.argv[5])))
