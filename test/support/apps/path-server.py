"""Python's http.server, answering with the target it received and, on the next line, the file it would look for."""

import http.server
import posixpath
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = -1  # an answer in one piece

    def do_GET(self):
        target = self.requestline.split(" ")[1]
        said = f"{target}\n{resource(self.path)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format, *args):
        pass


def resource(path):
    """As SimpleHTTPRequestHandler.translate_path: decoded first, and only then without dots."""
    decoded = urllib.parse.unquote(path.split("?", 1)[0].split("#", 1)[0], errors="strict")
    normal = posixpath.normpath(decoded)
    return normal + "/" if decoded.endswith("/") and normal != "/" else normal


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512


server = Server(("127.0.0.1", 0), Handler)
print('{"port":%d}' % server.server_port, flush=True)
server.serve_forever()
