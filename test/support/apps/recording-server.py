"""Python's http.server, telling on its standard output what it read: one JSON object a line."""

import hashlib
import http.server
import json
import sys
import threading

speaking = threading.Lock()


def tell(**what):
    with speaking:
        print(json.dumps(what), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = -1  # an answer in one piece

    def answer(self):
        target = self.requestline.split(" ")[1]
        body = self.read_body()
        digest = "" if body is None else hashlib.sha1(body).hexdigest()
        tell(method=self.command, target=target, sha1=digest, complete=body is not None)
        if body is None:
            self.close_connection = True
            return
        said = f"{self.command} {target} {digest}".encode("latin1")
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def read_body(self):
        """The body, or None where it breaks off."""
        codings = self.headers.get_all("Transfer-Encoding") or []
        lengths = self.headers.get_all("Content-Length") or []
        if len(codings) + len(lengths) > 1 or (codings and codings[0].lower() != "chunked"):
            tell(fault=f"framed by {codings} and {lengths}")
            return None
        if codings:
            return self.read_chunks()
        wanted = int(lengths[0]) if lengths else 0
        body = self.rfile.read(wanted)
        return body if len(body) == wanted else None

    def read_chunks(self):
        body = b""
        while True:
            line = self.rfile.readline(100)
            if not line.endswith(b"\r\n"):
                return None
            size = int(line, 16)
            if size == 0:
                break
            data = self.rfile.read(size + 2)
            if len(data) < size + 2:
                return None
            if not data.endswith(b"\r\n"):
                tell(fault="a chunk without its end")
                return None
            body += data[:-2]
        while True:
            line = self.rfile.readline(65536)
            if line == b"\r\n":
                return body
            if not line.endswith(b"\r\n"):
                return None

    def send_error(self, code, message=None, explain=None):
        tell(fault=f"{code} {message}")
        super().send_error(code, message, explain)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            tell(fault=repr(error))


server = Server(("127.0.0.1", 0), Handler)
tell(port=server.server_port)
server.serve_forever()
