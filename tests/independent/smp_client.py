#!/usr/bin/env python3
"""A small SMP client that shares no code with this project: Python's ssl module (OpenSSL), `cryptography` for Ed25519,
X25519 and Poly1305, and XSalsa20 written out below.

    smp_client.py HOST PORT FINGERPRINT VERSIONS    e.g. 127.0.0.1 5223 tmJ4...5Bs= 6-19

In each version, with two connections: compares the session ID with OpenSSL's tls-unique, creates a queue, secures it,
sends, receives and decrypts a message of full size, acknowledges, looks at refusals, displaces a subscriber, deletes.
The client sends no key in its hello, so that blocks are padded only, in all versions. Prints one line, or what was not
as expected; exit code 3 says that a Python package is missing.
"""
import base64
import os
import socket
import ssl
import struct
import sys

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.poly1305 import Poly1305
except ImportError:
    print("the Python package `cryptography` is missing")
    sys.exit(3)

BLOCK = 16384


# Salsa20 core, HSalsa20 and XSalsa20-Poly1305 (crypto_box), as Bernstein describes them.

SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def rounds(x):
    def quarter(a, b, c, d):
        for to, p, q, shift in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            s = (x[p] + x[q]) & 0xFFFFFFFF
            x[to] ^= ((s << shift) | (s >> (32 - shift))) & 0xFFFFFFFF

    for _ in range(10):
        for columns in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)):
            quarter(*columns)
        for rows in ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
            quarter(*rows)


def matrix(key, block):
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", block)
    return [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]


def hsalsa20(key, block):
    x = matrix(key, block)
    rounds(x)
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def salsa20_stream(key, nonce, length):
    stream = bytearray()
    for counter in range((length + 63) // 64):
        start = matrix(key, nonce + struct.pack("<Q", counter))
        x = list(start)
        rounds(x)
        stream += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))
    return bytes(stream[:length])


def open_box(secret, nonce, box):
    """The padded content of a box: tag first, key and nonce through HSalsa20."""
    key = hsalsa20(hsalsa20(secret, bytes(16)), nonce[:16])
    tag, sealed = box[:16], box[16:]
    stream = salsa20_stream(key, nonce[16:], 32 + len(sealed))
    Poly1305.verify_tag(stream[:32], sealed, tag)
    return bytes(a ^ b for a, b in zip(sealed, stream[32:]))


def unpad(padded):
    return padded[2:2 + struct.unpack(">H", padded[:2])[0]]


def short(b):
    return bytes([len(b)]) + b


def take_short(b):
    return b[1:1 + b[0]], b[1 + b[0]:]


def der(private_key):
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key.public_key().public_bytes(serialization.Encoding.DER, info)


def expect(condition, *what):
    if not condition:
        print("not as expected:", *what)
        sys.exit(1)


class Connection:
    def __init__(self, host, port, fingerprint, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["smp/1"])
        self.tls = context.wrap_socket(socket.create_connection((host, port), timeout=30))
        self.version, self.events = version, []
        hello = self.read_block()
        least, most = struct.unpack(">HH", hello[:4])
        expect(least <= version <= most, "versions", least, most)
        self.session_id, _ = take_short(hello[4:])
        expect(self.session_id == self.tls.get_channel_binding("tls-unique"), "the session ID")
        answer = struct.pack(">H", version) + short(fingerprint)
        # No key; no proxy from version 14, no service from version 16.
        answer += b"F" if version >= 14 else b""
        answer += b"0" if version >= 16 else b""
        self.write_block(answer)

    def read_block(self):
        block = b""
        while len(block) < BLOCK:
            part = self.tls.recv(BLOCK - len(block))
            expect(part, "the relay closed the connection")
            block += part
        return unpad(block)

    def write_block(self, content):
        self.tls.sendall(struct.pack(">H", len(content)) + content + b"#" * (BLOCK - 2 - len(content)))

    def read_events(self):
        """Reads a block: pairs of correlation ID and (entity ID, message)."""
        content = self.read_block()
        count, rest = content[0], content[1:]
        for _ in range(count):
            size = struct.unpack(">H", rest[:2])[0]
            transmission, rest = rest[2:2 + size], rest[2 + size:]
            authorization, transmission = take_short(transmission)
            expect(not authorization, "an authorization by the relay")
            if self.version < 7:
                session_id, transmission = take_short(transmission)
                expect(session_id == self.session_id, "the session ID of an answer")
            correlation_id, transmission = take_short(transmission)
            entity_id, message = take_short(transmission)
            self.events.append((correlation_id, entity_id, message))
        expect(not rest, "bytes behind the last transmission")

    def wait(self, wanted):
        while True:
            for at, (correlation_id, entity_id, message) in enumerate(self.events):
                if correlation_id == wanted:
                    del self.events[at]
                    return entity_id, message
            self.read_events()

    def ask(self, key, entity_id, command):
        correlation_id = os.urandom(24)
        body = short(correlation_id) + short(entity_id) + command
        signed = short(self.session_id) + body
        transmission = short(key.sign(signed)) if key else b"\0"
        if key and self.version >= 16:
            transmission += b"0"
        transmission += signed if self.version < 7 else body
        self.write_block(b"\1" + struct.pack(">H", len(transmission)) + transmission)
        answered_id, message = self.wait(correlation_id)
        expect(answered_id == entity_id, "the entity ID of the answer to", command[:8])
        return message

    def expect_answer(self, key, entity_id, command, *expected):
        answer = self.ask(key, entity_id, command)
        expect(answer in expected, command[:8], "was answered with", answer[:40], "and not", expected)


def create(connection, key, dh_key):
    version = connection.version
    command = b"NEW " + short(der(key)) + short(der(dh_key))
    if version < 9:
        command += b"S"
    elif version < 15:
        command += b"0ST"
    else:
        # An optional request: messaging, no link. Then no notifier.
        command += b"0S1M0" + (b"0" if version >= 17 else b"")
    answer = connection.ask(key, b"", command)
    expect(answer.startswith(b"IDS "), "NEW was answered with", answer[:40])
    recipient_id, rest = take_short(answer[4:])
    sender_id, rest = take_short(rest)
    relay_key, rest = take_short(rest)
    expected = b"" if version < 9 else b"T" if version < 15 else b"1M0" + b"0" * (min(version, 17) - 15)
    expect(rest == expected, "IDS ends with", rest)
    public_key = serialization.load_der_public_key(relay_key)
    return recipient_id, sender_id, dh_key.exchange(public_key)


def message(event, recipient_id, secret):
    entity_id, text = event
    expect(entity_id == recipient_id and text.startswith(b"MSG "), "not a message:", text[:40])
    message_id, box = take_short(text[4:])
    content = unpad(open_box(secret, message_id, box))
    return message_id, content[8:]


def talk(host, port, fingerprint, version):
    alice = Connection(host, port, fingerprint, version)
    bob = Connection(host, port, fingerprint, version)
    alice.expect_answer(None, b"", b"PING", b"PONG")
    key, sender_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    recipient_id, sender_id, secret = create(alice, key, X25519PrivateKey.generate())
    bob.expect_answer(None, sender_id, b"SEND T first", b"OK")
    first_id, body = message(alice.wait(b""), recipient_id, secret)
    expect(body == b"T first", "another body", body[:40])
    alice.expect_answer(key, recipient_id, b"ACK " + short(os.urandom(24)), b"ERR NO_MSG")
    alice.expect_answer(key, recipient_id, b"ACK " + short(first_id), b"OK")
    if version >= 9:
        bob.expect_answer(sender_key, sender_id, b"SKEY " + short(der(sender_key)), b"OK")
    else:
        alice.expect_answer(key, recipient_id, b"KEY " + short(der(sender_key)), b"OK")
    bob.expect_answer(None, sender_id, b"SEND F text", b"ERR AUTH")
    bob.expect_answer(key, sender_id, b"SEND F text", b"ERR AUTH")
    bob.expect_answer(sender_key, os.urandom(24), b"SEND F text", b"ERR AUTH")
    bob.expect_answer(sender_key, recipient_id, b"SUB", b"ERR AUTH")
    largest = os.urandom(16088 if version < 8 else 16064 if version < 11 else 16048)
    bob.expect_answer(sender_key, sender_id, b"SEND F " + largest + b"x", b"ERR LARGE_MSG")
    bob.expect_answer(sender_key, sender_id, b"SEND F " + largest, b"OK")
    large_id, body = message(alice.wait(b""), recipient_id, secret)
    expect(body == b"F " + largest, "the large body is another")
    # Another connection subscribes: the message comes again, and the first one is told.
    subscribed = b"SOK 0" if version >= 16 else b"OK"
    bob.expect_answer(key, recipient_id, b"SUB", subscribed)
    again_id, again = message(bob.wait(b""), recipient_id, secret)
    expect((again_id, again) == (large_id, body), "another message was delivered again")
    expect(alice.wait(b"") == (recipient_id, b"END"), "no END")
    bob.expect_answer(key, recipient_id, b"ACK " + short(large_id), b"OK")
    alice.expect_answer(key, recipient_id, b"DEL", b"OK")
    expect(bob.wait(b"") == (recipient_id, b"DELD" if version >= 10 else b"END"), "no word of the deletion")
    alice.expect_answer(key, recipient_id, b"SUB", b"ERR AUTH")
    bob.expect_answer(sender_key, sender_id, b"SEND F text", b"ERR AUTH")
    alice.expect_answer(None, b"", b"NONE", b"ERR CMD UNKNOWN")
    for connection in (alice, bob):
        connection.expect_answer(None, b"", b"PING", b"PONG")
        expect(not connection.events, "unexpected", connection.events)


def main():
    host, port, fingerprint, versions = sys.argv[1:5]
    first, last = map(int, versions.split("-"))
    for version in range(first, last + 1):
        talk(host, int(port), base64.urlsafe_b64decode(fingerprint), version)
    print("an independent client: versions %d to %d, all as expected (%s)" % (first, last, ssl.OPENSSL_VERSION))


if __name__ == "__main__":
    main()
