"""An unmodified app that never has to wait for itself: on one port HTTP, where `/flood` never ends and everything else is
answered at once, on another bytes without end. Its kernel buffers are small: what is not taken stays here. Says its ports."""

import asyncio
import json
import socket

PIECE = b"flood " * 1000


def listening():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    return listener


class Flood(asyncio.Protocol):
    flooding = False
    full = False

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=16384)

    def start(self):
        self.flooding = True
        self.more()

    def more(self):
        while self.flooding and not self.full and not self.transport.is_closing():
            self.transport.write(PIECE)

    def pause_writing(self):
        self.full = True

    def resume_writing(self):
        self.full = False
        self.more()


class Opaque(Flood):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.start()


class Http(Flood):
    heard = b""
    left = 0  # of a request's body

    def data_received(self, data):
        self.heard += data
        while self.heard:
            skipped = min(self.left, len(self.heard))
            self.heard, self.left = self.heard[skipped:], self.left - skipped
            head, found, rest = self.heard.partition(b"\r\n\r\n")
            if self.left or not found:
                return
            self.heard = rest
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    self.left = int(line[15:])
            if head.startswith(b"GET /flood "):
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n")
                return self.start()
            if not self.left:
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # a reset in the middle of a write is told twice
    servers = [await loop.create_server(made, sock=listening(), backlog=4096) for made in (Http, Opaque)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps({"http": ports[0], "tcp": ports[1]}), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
