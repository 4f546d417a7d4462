# SPDX-License-Identifier: BSD-2-Clause
"""
What strangers may send: dropped, counted under its name, never answered with more than was sent,
never logged without a limit.
"""

import os
import random
import struct

from lib.case import add, check, equal
from lib.stun import (
    ALLOCATE, BINDING, COOKIE, DATA, DATA_ATTR, INDICATION, REQUEST, SEND, SUCCESS,
    XOR_PEER, Client, Endpoint, Message, attribute, channel_data, xor_address,
)  # fmt: skip
from test_forms import CHANNEL, Call

GARBAGE = 5000
LOG_LINES_MAX = 50


def stun(kind, body=b"", length=None, cookie=COOKIE, transaction=bytes(range(12))):
    size = len(body) if length is None else length
    return struct.pack("!HHI", kind, size, cookie) + transaction + body


def peer_attribute(ip="10.77.2.2", port=9):
    return attribute(XOR_PEER, xor_address(bytes(range(12)), ip, port))


SOFTWARE = attribute(0x8022, b"stranger")

# What it is, the datagram, the counter it must show up in.
DATAGRAMS = (
    ("an empty datagram", b"", "drop_not_stun"),
    ("one zero byte", b"\0", "drop_not_stun"),
    ("a STUN header cut at 19 bytes", stun(BINDING)[:19], "drop_*"),
    ("the first two bits 10", b"\x80" + bytes(40), "drop_not_stun"),
    ("the first two bits 11", b"\xff" * 64, "drop_not_stun"),
    ("an RTP packet", b"\x80\x60" + bytes(range(170)), "drop_not_stun"),
    ("a DTLS ClientHello's first bytes", b"\x16\xfe\xff" + bytes(100), "drop_not_stun"),
    ("an HTTP request", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "drop_*"),
    ("a wrong magic cookie", stun(BINDING, cookie=0x12345678), "drop_*"),
    ("a length that is no multiple of four", stun(BINDING, b"abc", 3), "drop_bad_stun"),
    ("a length beyond the datagram", stun(BINDING, b"", 8), "drop_bad_stun"),
    ("the largest length", stun(BINDING, b"", 0xFFFC), "drop_bad_stun"),
    ("a length short of the datagram", stun(BINDING, SOFTWARE, 0), "drop_bad_stun"),
    ("an attribute cut short", stun(BINDING, struct.pack("!HH", 0x8022, 8) + b"four"),
     "drop_bad_stun"),
    ("an attribute of the largest length", stun(ALLOCATE, struct.pack("!HH", 6, 0xFFFF) + bytes(8)),
     "drop_bad_stun"),
    ("a success response", stun(BINDING | SUCCESS), "drop_unexpected"),
    ("a Data indication", stun(DATA | INDICATION, peer_attribute() + attribute(DATA_ATTR, b"x")),
     "drop_unexpected"),
    ("an unknown method", stun(0x0EEE & ~0x110), "drop_unexpected"),
    ("a Send indication without an allocation",
     stun(SEND | INDICATION, peer_attribute() + attribute(DATA_ATTR, b"x")), "drop_no_allocation"),
    ("ChannelData without an allocation", channel_data(CHANNEL, b"hello"), "drop_no_allocation"),
    ("ChannelData that ends in its header", b"\x40\x01\x00", "drop_bad_channel_data"),
    ("ChannelData with a length beyond the datagram", struct.pack("!HH", CHANNEL, 100) + b"short",
     "drop_bad_channel_data"),
    ("ChannelData of the largest length", struct.pack("!HH", CHANNEL, 0xFFFF) + bytes(1000),
     "drop_bad_channel_data"),
    ("channel 0x5000, which RFC 8656 reserves", channel_data(0x5000, b"hello"), "drop_*"),
    ("channel 0x7FFF, which RFC 8656 reserves", channel_data(0x7FFF, b"hello"), "drop_*"),
)  # fmt: skip


def dropped(counters):
    return {name: value for name, value in counters.items() if name.startswith("drop_")}


def ask_binding(end):
    """A Binding request and its response: what came before it has been dealt with. Returns that."""
    request = stun(BINDING, transaction=os.urandom(12))
    before = []
    end.send(request, end.server)
    while True:
        data, _ = end.expect("the response to a Binding request")
        if data[8:20] == request[8:20]:
            equal(Message(data).error, 0, "error code of the response to a Binding request")
            return before
        before.append(data)


def each_is_dropped(bench, family, mode):
    call = Call(bench, mode, family)
    for what, datagram, counter in DATAGRAMS:
        end = Client(call.topology, family)
        before = dropped(call.relay.counters())
        end.send(datagram, end.server)
        answers = ask_binding(end)
        after = dropped(call.relay.counters())
        grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        check(sum(grown.values()) == 1, f"{what} was not counted once: {grown}")
        check(counter == "drop_*" or counter in grown, f"{what} was counted as {grown}")
        size = sum(len(a) for a in answers)
        check(size <= len(datagram), f"{what} of {len(datagram)} bytes was answered with {size}")
    call.up(b"the call goes on")
    call.down(b"the call goes on")
    check(call.peer.receive(0) is None, "something else reached the peer")


def cut_at_every_length(bench):
    """A good Allocate, a good Send indication and ChannelData, each cut at each of its lengths."""
    call = Call(bench, "native")
    client = call.client
    whole = (
        client.build(ALLOCATE | REQUEST, [(0x19, bytes([17, 0, 0, 0]))]),
        client.build(SEND | INDICATION, [(XOR_PEER, *call.peer.address), (DATA_ATTR, b"x" * 9)],
                     sign=False),
        channel_data(CHANNEL, b"x" * 40),
    )  # fmt: skip
    end = Client(call.topology)
    for message in whole:
        for size in range(len(message)):
            end.send(message[:size], end.server)
            client.send(message[:size], client.server)
        for who in (end, client):
            got = sum(len(a) for a in ask_binding(who))
            check(got <= sum(range(len(message))), f"{got} bytes came as answers")
    check(call.peer.receive(0) is None, "a message that was cut short reached the peer")
    call.up(b"the call goes on")
    call.down(b"the call goes on")


def strangers_channel(bench, mode):
    """Right channel number, right server, another five-tuple: and one with its own allocation."""
    call = Call(bench, mode)
    stranger = Client(call.topology)
    before = call.relay.counters()
    stranger.send_channel(CHANNEL, b"mine now")
    equal(ask_binding(stranger), [], "answers to a stranger's ChannelData")
    stranger.allocate()
    stranger.send_channel(CHANNEL, b"mine now")
    equal(ask_binding(stranger), [], "answers to ChannelData on an unbound channel")
    call.client.send_channel(CHANNEL + 1, b"never bound")
    equal(ask_binding(call.client), [], "answers to ChannelData on another channel")
    after = call.relay.counters()
    grown = {n: after[n] - before[n] for n in ("drop_no_allocation", "drop_no_channel")}
    equal(grown, {"drop_no_allocation": 1, "drop_no_channel": 2}, "drop counters")
    check(call.peer.receive(0) is None, "a stranger's data reached the peer")
    call.up(b"the call goes on")
    call.down(b"the call goes on")


def strangers_peer(bench, mode):
    """The peer's address from elsewhere does not help: the port differs, so no channel data."""
    call = Call(bench, mode)
    other = Endpoint(call.topology.peer_ns, call.topology.peer[4])
    other.send(b"same host, other port", call.relayed)
    data, _ = call.client.expect("a Data indication")
    equal(Message(data).method, DATA, "method of what came")
    call.client.send_channel(CHANNEL, b"for the peer only")
    equal(call.peer.expect("data")[0], b"for the peer only", "data")
    check(other.receive(0) is None, "channel data reached another port of the peer")


def flood(bench, family):
    """Garbage by the thousand: few lines of log, every datagram counted, a call undisturbed."""
    call = Call(bench, "native", family)
    end = Client(call.topology, family)
    draw = random.Random(1)
    before_log = len(call.relay.process.lines)
    before = sum(dropped(call.relay.counters()).values())
    for i in range(GARBAGE):
        size = draw.randrange(1, 200)
        # Leading bits of every kind: STUN, ChannelData, and what is neither.
        data = bytes([draw.randrange(256)]) + draw.randbytes(size - 1)
        end.send(data, end.server)
        if i % 100 == 0:
            ask_binding(end)
            call.up(b"still here")
    ask_binding(end)
    grown = sum(dropped(call.relay.counters()).values()) - before
    equal(grown, GARBAGE, "datagrams counted as dropped")
    lines = len(call.relay.process.lines) - before_log
    check(lines <= LOG_LINES_MAX, f"{lines} lines of log for {GARBAGE} datagrams of garbage")


def wrong_credentials(bench):
    """Many Allocates with a wrong password: 441 or 401 each, no allocation, few lines of log."""
    call = Call(bench, "native")
    end = Client(call.topology)
    before_log = len(call.relay.process.lines)
    end.request(BINDING)
    response = end.exchange(end.build(ALLOCATE, [(0x19, bytes([17, 0, 0, 0]))]))
    equal(response.error, 401, "error code without credentials")
    end.realm, end.nonce = response.attributes[0x14], response.attributes[0x15]
    for _ in range(300):
        request = bytearray(end.build(ALLOCATE, [(0x19, bytes([17, 0, 0, 0]))]))
        request[-1] ^= 1
        response = end.exchange(bytes(request))
        check(response.error in (401, 441), f"error code {response.error} with a wrong signature")
    equal(len(call.relay.ctl("allocations")["allocations"]), 1, "allocations")
    lines = len(call.relay.process.lines) - before_log
    check(lines <= LOG_LINES_MAX, f"{lines} lines of log for 300 wrong passwords")


def unauthenticated_answers_are_small(bench):
    """What a forged source address could be made to receive, beside what was sent."""
    call = Call(bench, "native")
    end = Client(call.topology)
    for method in (BINDING, ALLOCATE):
        request = end.build(method, [(0x19, bytes([17, 0, 0, 0]))] if method == ALLOCATE else [])
        end.send(request, end.server)
        answer, _ = end.expect("an answer")
        check(len(answer) <= len(request) + 100, f"{len(request)} bytes got {len(answer)}")


for _mode in ("native", "off"):
    for _family in (4, 6):
        add(
            f"each_bad_datagram_is_dropped_and_counted_over_ipv{_family}_with_mode_{_mode}",
            f"{len(DATAGRAMS)} kinds, each by its counter, none answered with more than was sent",
            lambda bench, f=_family, m=_mode: each_is_dropped(bench, f, m),
        )
    add(
        f"a_channel_belongs_to_its_five_tuple_with_mode_{_mode}",
        strangers_channel.__doc__,
        lambda bench, m=_mode: strangers_channel(bench, m),
    )
    add(
        f"a_channel_belongs_to_its_peer_port_with_mode_{_mode}",
        strangers_peer.__doc__,
        lambda bench, m=_mode: strangers_peer(bench, m),
    )
for _family in (4, 6):
    add(
        f"garbage_is_counted_and_hardly_logged_over_ipv{_family}",
        flood.__doc__,
        lambda bench, f=_family: flood(bench, f),
    )
add("messages_cut_at_every_length_do_no_harm", cut_at_every_length.__doc__, cut_at_every_length)
add("wrong_credentials_get_nothing_and_are_hardly_logged", wrong_credentials.__doc__,
    wrong_credentials)  # fmt: skip
add("strangers_get_no_large_answers", unauthenticated_answers_are_small.__doc__,
    unauthenticated_answers_are_small)  # fmt: skip
