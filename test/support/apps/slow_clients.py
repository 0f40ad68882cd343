"""Clients that take their time, each in its own way, as standard input's first line says: {httpPort, tcpPort, inboundPort,
cert, key, ca, clients, rampMs, returnMs}. Whoever is disconnected comes back after `returnMs`. Says at the end of standard input what
happened, per kind. Their kernel buffers are small, as on a network: on loopback a reader who does not read would hold megabytes."""

import collections
import heapq
import json
import os
import select
import socket
import ssl
import sys
import time

os.nice(10)  # strangers have machines of their own: what they compute themselves must not be what others wait for
plan = json.loads(sys.stdin.readline())
told = collections.defaultdict(lambda: {"opened": 0, "ended": 0})


def tcp(port):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    return client


def tls(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_cert_chain(plan["cert"], plan["key"])
    context.load_verify_locations(plan["ca"])
    context.set_alpn_protocols([alpn])
    return lambda: context.wrap_socket(tcp(plan["inboundPort"]))


HALF_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
HALF_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
FLOOD = b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"
HALF_HELLO = bytes.fromhex("1603010200010001fc0303")


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def no_window():
    """A preface, SETTINGS with an initial window of 0, and five requests for the flood."""
    get_flood = b"\x82\x86\x04\x06/flood\x01\x06prices"
    settings = frame(4, 0, 0, bytes.fromhex("000400000000"))
    asked = b"".join(frame(1, 5, stream, get_flood) for stream in range(1, 11, 2))
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + asked


h2, http1 = tls("h2"), tls("http/1.1")
plain = lambda: tcp(plan["httpPort"])
# Kind: percent, how to connect, what to say first, what to say each second.
KINDS = {
    "slow head": (20, plain, HALF_HEAD, b"x"),
    "slow body": (15, plain, HALF_BODY, b"x"),
    "slow reader": (15, plain, FLOOD, b""),
    "stalled windows": (5, plain, no_window(), b""),
    "opaque reader": (10, lambda: tcp(plan["tcpPort"]), b"hello", b""),
    "stalled handshake": (20, lambda: tcp(plan["inboundPort"]), HALF_HELLO, b""),
    "silent peer": (5, h2, b"", b""),
    "slow head of a peer": (5, http1, HALF_HEAD, b"x"),
    "stalled windows of a peer": (5, h2, no_window(), b""),
}

poll = select.epoll()
poll.register(sys.stdin, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP)
due = []  # (when, number, kind) of those who are to connect
drips = []  # (when, number, client, kind) of those who say something each second, each at a moment of its own
numbers = iter(range(10**9))
clients = {}


def begin():
    everyone = [kind for kind, (percent, *_) in KINDS.items() for _ in range(round(plan["clients"] * percent / 100))]
    mixed = sorted(range(len(everyone)), key=lambda at: (at * 7919) % len(everyone))
    for turn, at in enumerate(mixed):
        when = time.monotonic() + plan["rampMs"] / 1000 * turn / len(everyone)
        heapq.heappush(due, (when, next(numbers), everyone[at]))


def come(kind):
    _percent, connect, first, _more = KINDS[kind]
    told[kind]["opened"] += 1
    try:
        client = connect()
        client.sendall(first)
    except OSError:
        told[kind]["ended"] += 1
        return heapq.heappush(due, (time.monotonic() + plan["returnMs"] / 1000, next(numbers), kind))
    client.setblocking(False)
    clients[client.fileno()] = (client, kind)
    if KINDS[kind][3]:
        heapq.heappush(drips, (time.monotonic() + 1, next(numbers), client, kind))
    poll.register(client.fileno(), select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR)


def leave(fd):
    client, kind = clients.pop(fd)
    poll.unregister(fd)
    client.close()
    told[kind]["ended"] += 1
    heapq.heappush(due, (time.monotonic() + plan["returnMs"] / 1000, next(numbers), kind))


def drip(client, kind):
    try:
        client.send(KINDS[kind][3])
    except (BlockingIOError, ssl.SSLWantWriteError):
        pass
    except OSError:
        leave(client.fileno())


begin()
while True:
    now = time.monotonic()
    while due and due[0][0] <= now:
        come(heapq.heappop(due)[2])
    while drips and drips[0][0] <= now:
        when, number, client, kind = heapq.heappop(drips)
        if client.fileno() in clients and clients[client.fileno()][0] is client:
            heapq.heappush(drips, (when + 1, number, client, kind))
            drip(client, kind)
    for fd, _events in poll.poll(0.005):
        if fd == sys.stdin.fileno():
            print(json.dumps(told), flush=True)
            sys.exit(0)
        if fd in clients:
            leave(fd)
