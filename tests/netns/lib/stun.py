# SPDX-License-Identifier: BSD-2-Clause
"""
A small TURN client (RFC 8656, long-term credentials of RFC 8489) for the tests that must say
exactly what they send. Its socket lives in the client's network namespace.
"""

import hashlib
import hmac
import ipaddress
import os
import select
import socket
import struct
import time
import zlib

from . import linux
from .case import Failure, check, equal
from .relay import PASSWORD, PORT, USER

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, PERMIT, BIND = 1, 3, 4, 6, 7, 8, 9
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110
USERNAME, INTEGRITY, ERROR_CODE, CHANNEL, LIFETIME = 0x06, 0x08, 0x09, 0x0C, 0x0D
XOR_PEER, DATA_ATTR, REALM, NONCE, XOR_RELAYED = 0x12, 0x13, 0x14, 0x15, 0x16
FAMILY, TRANSPORT, DONT_FRAGMENT, XOR_MAPPED = 0x17, 0x19, 0x1A, 0x20
FINGERPRINT, ICMP = 0x8028, 0x8004
FINGERPRINT_XOR = 0x5354554E


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def xor_address(transaction, ip, port):
    a = ipaddress.ip_address(ip)
    mask = struct.pack("!I", COOKIE) + transaction
    body = bytes(x ^ y for x, y in zip(a.packed, mask))
    return struct.pack("!xBH", 1 if a.version == 4 else 2, port ^ (COOKIE >> 16)) + body


def read_xor_address(transaction, value):
    family, port = struct.unpack_from("!xBH", value)
    mask = struct.pack("!I", COOKIE) + transaction
    body = bytes(x ^ y for x, y in zip(value[4 : 8 if family == 1 else 20], mask))
    return str(ipaddress.ip_address(body)), port ^ (COOKIE >> 16)


class Message:
    """A STUN message as it arrived."""

    def __init__(self, data):
        self.kind, length, cookie = struct.unpack_from("!HHI", data)
        equal(cookie, COOKIE, "magic cookie")
        equal(length, len(data) - 20, "message length")
        self.transaction = data[8:20]
        self.attributes = {}
        self.order = []  # types of all attributes, as they stand
        self.padding = b""  # all bytes of it
        at = 20
        while at < len(data):
            kind, size = struct.unpack_from("!HH", data, at)
            self.attributes.setdefault(kind, data[at + 4 : at + 4 + size])
            self.order.append(kind)
            end = at + 4 + size
            at = end + -size % 4
            check(at <= len(data), f"attribute 0x{kind:04x} ends beyond the message")
            self.padding += data[end:at]

    @property
    def method(self):
        return self.kind & ~0x110

    @property
    def error(self):
        """The error code, 0 in a success response."""
        value = self.attributes.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0

    def address(self, kind):
        return read_xor_address(self.transaction, self.attributes[kind])


class Endpoint:
    """A UDP socket in a namespace."""

    def __init__(self, namespace, ip, port=0):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        with linux.network_of(namespace):
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.socket.setblocking(False)
        self.address = self.socket.getsockname()[:2]
        self.spoiled = 0  # datagrams that were there, until their checksum was looked at

    def send(self, data, to):
        self.socket.sendto(data, tuple(to[:2]))

    def receive(self, timeout=5):
        """(data, (ip, port)), or None if nothing comes in time."""
        until = time.monotonic() + timeout
        while True:
            ready, _, _ = select.select([self.socket], [], [], max(0, until - time.monotonic()))
            if not ready:
                return None
            try:
                data, sender = self.socket.recvfrom(65536)
            except BlockingIOError:
                self.spoiled += 1
                continue
            return data, sender[:2]

    def expect(self, what, timeout=5):
        got = self.receive(timeout)
        if got is None:
            spoiled = f"; {self.spoiled} came with a wrong checksum" if self.spoiled else ""
            raise Failure(f"{what} did not arrive within {timeout} s{spoiled}")
        return got


class Client(Endpoint):
    def __init__(self, topology, family=4, port=0, beside_peer=False):
        """Its host is the client's; with beside_peer, the peer's."""
        if beside_peer:
            super().__init__(topology.peer_ns, topology.peer[family], port)
        else:
            super().__init__(topology.client_ns, topology.client[family], port)
        self.server = (topology.listen[family], PORT)
        self.user, self.password = USER, PASSWORD
        self.realm = self.nonce = None
        self.relayed = None
        self.early = []  # datagrams that came while a response was awaited

    def build(self, kind, attributes=(), transaction=None, sign=True):
        """`attributes` are (type, bytes), or (type, ip, port) for an XOR'd address."""
        transaction = transaction or os.urandom(12)
        body = b""
        for kind_of, *value in attributes:
            raw = value[0] if len(value) == 1 else xor_address(transaction, *value)
            body += attribute(kind_of, raw)
        if sign and self.nonce is not None:
            user, password = self.user.encode(), self.password.encode()
            body += attribute(USERNAME, user)
            body += attribute(REALM, self.realm) + attribute(NONCE, self.nonce)
            head = struct.pack("!HHI", kind, len(body) + 24, COOKIE) + transaction
            key = hashlib.md5(b":".join([user, self.realm, password])).digest()
            body += attribute(INTEGRITY, hmac.new(key, head + body, hashlib.sha1).digest())
        return struct.pack("!HHI", kind, len(body), COOKIE) + transaction + body

    def receive(self, timeout=5):
        if self.early:
            return self.early.pop(0)
        return super().receive(timeout)

    def exchange(self, data, timeout=0.5, tries=8):
        """Sends a request, again and again if need be, until its response comes."""
        for _ in range(tries):
            self.send(data, self.server)
            until = time.monotonic() + timeout
            while True:
                got = Endpoint.receive(self, max(0, until - time.monotonic()))
                if got is None:
                    break
                if got[0][0] < 0x40 and got[0][8:20] == data[8:20]:
                    return Message(got[0])
                self.early.append(got)
        raise Failure(f"no response from {self.server} to a request of type 0x{data[1]:02x}")

    def request(self, method, *attributes):
        """The response, after the challenge that a first request meets."""
        for _ in range(3):
            response = self.exchange(self.build(method | REQUEST, attributes))
            if response.error not in (401, 438) or NONCE not in response.attributes:
                return response
            self.realm = response.attributes[REALM]
            self.nonce = response.attributes[NONCE]
        return response

    def must(self, method, *attributes):
        response = self.request(method, *attributes)
        equal(response.error, 0, f"error code of the response to method {method}")
        return response

    def allocate(self, family=None, lifetime=None):
        attributes = [(TRANSPORT, bytes([17, 0, 0, 0]))]
        if family == 6:
            attributes.append((FAMILY, bytes([2, 0, 0, 0])))
        if lifetime is not None:
            attributes.append((LIFETIME, struct.pack("!I", lifetime)))
        response = self.must(ALLOCATE, *attributes)
        self.relayed = response.address(XOR_RELAYED)
        return self.relayed

    def permit(self, peer):
        self.must(PERMIT, (XOR_PEER, *peer))

    def bind(self, number, peer):
        self.must(BIND, (CHANNEL, struct.pack("!Hxx", number)), (XOR_PEER, *peer))

    def refresh(self, lifetime):
        self.must(REFRESH, (LIFETIME, struct.pack("!I", lifetime)))

    def send_channel(self, number, payload, padding=b""):
        self.send(channel_data(number, payload) + padding, self.server)

    def send_indication(self, peer, payload, *more, data_first=False, fingerprint=False):
        """`more` are further attributes, which stand before the two that must be there."""
        attributes = [(XOR_PEER, *peer), (DATA_ATTR, payload)]
        if data_first:
            attributes.reverse()
        data = self.build(SEND | INDICATION, [*more, *attributes], sign=False)
        self.send(with_fingerprint(data) if fingerprint else data, self.server)

    def expect_channel(self, number, payload, what="ChannelData"):
        """The next datagram is exactly this ChannelData, unpadded as UDP wants it."""
        data, sender = self.expect(what)
        equal(sender, self.server, f"sender of {what}")
        equal(data.hex(), channel_data(number, payload).hex(), what)


def with_fingerprint(message):
    """RFC 8489 14.7: over all before it, its own 8 bytes counted in the length."""
    head = message[:2] + struct.pack("!H", len(message) - 20 + 8) + message[4:]
    return head + attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(head) ^ FINGERPRINT_XOR))


def channel_data(number, payload):
    return struct.pack("!HH", number, len(payload)) + payload
