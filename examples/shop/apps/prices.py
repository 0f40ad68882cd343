"""The prices of a small shop, with Python's standard library only.

HTTP: GET /price/tea asks orders how often tea was ordered and makes a price of it.
WebSocket: /ticker sends the next number every 100 ms and answers every text with the same text.
Settings: PORT, ORDERS_URL.
"""

import base64
import hashlib
import http.client
import json
import os
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ORDERS = urlsplit(os.environ.get("ORDERS_URL", "http://127.0.0.1:7103"))
TICK_SECONDS = 0.1
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MAX_FRAME_BYTES = 65536

connections = threading.local()


def ask_orders(path):
    """GET over this thread's kept connection; once more if the other side had closed it meanwhile."""
    for is_last_try in (False, True):
        if getattr(connections, "orders", None) is None:
            connections.orders = http.client.HTTPConnection(ORDERS.hostname, ORDERS.port or 80, timeout=10)
        try:
            connections.orders.request("GET", path)
            answer = connections.orders.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"orders answered {answer.status}: {body[:200]!r}")
            return json.loads(body)
        except (http.client.HTTPException, OSError):
            connections.orders.close()
            connections.orders = None
            if is_last_try:
                raise


class Prices(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together

    def do_GET(self):
        if self.path == "/ticker":
            self.serve_ticker()
        elif self.path.startswith("/price/"):
            self.serve_price(self.path.removeprefix("/price/"))
        else:
            self.answer(404, {"error": "try /price/tea"})

    def serve_price(self, item):
        try:
            orders = ask_orders(f"/orders/{item}")
        except Exception as problem:
            self.answer(502, {"error": str(problem)})
            return
        caller = self.headers.get("x-forwarded-client-cert")
        self.answer(200, {"item": item, "price": 100 + orders["ordered"], "caller": caller, "orders": orders})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def serve_ticker(self):
        key = self.headers.get("sec-websocket-key", "")
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        gone = threading.Event()
        writing = threading.Lock()

        def send(opcode, payload):
            length = len(payload)
            head = bytes([0x80 | opcode, length]) if length < 126 else struct.pack("!BBH", 0x80 | opcode, 126, length)
            with writing:
                self.wfile.write(head + payload)
                self.wfile.flush()

        def tick():
            number = 0
            while not gone.wait(TICK_SECONDS):
                number += 1
                try:
                    send(TEXT, json.dumps({"tick": number}).encode())
                except OSError:
                    return

        threading.Thread(target=tick, daemon=True).start()
        try:
            while True:
                opcode, payload = self.read_frame()
                if opcode == CLOSE:
                    send(CLOSE, payload[:2])
                    return
                if opcode in (TEXT, PING):
                    send(PONG if opcode == PING else TEXT, payload)
        except (OSError, EOFError):
            pass
        finally:
            gone.set()

    def read_frame(self):
        """One unfragmented, masked frame of a client (RFC 6455, section 5.2)."""
        first, second = self.read_exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.read_exactly(2))
        if length > MAX_FRAME_BYTES or not second & 0x80:
            raise EOFError
        mask = self.read_exactly(4)
        payload = self.read_exactly(length)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def read_exactly(self, count):
        data = self.rfile.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "7002"))), Prices).serve_forever()
