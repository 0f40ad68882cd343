"""wsgiref's server, which takes any word for a method; tells on its standard output whose requests it read: one JSON object a line."""

import json
import socketserver
import threading
import wsgiref.simple_server

speaking = threading.Lock()


def tell(**what):
    with speaking:
        print(json.dumps(what), flush=True)


def app(environ, start_response):
    told = environ.get("HTTP_X_FORWARDED_CLIENT_CERT", "")
    tell(method=environ["REQUEST_METHOD"], caller=told)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [told.encode("latin1")]


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 60

    def log_message(self, format, *args):
        pass


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass  # a caller that was cut


server = Server(("127.0.0.1", 0), Handler)
server.set_app(app)
tell(port=server.server_port)
server.serve_forever()
