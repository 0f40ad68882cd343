"""gRPC's interoperability service on a port of its own; tells `{"port": …}` and each `{"cancelled": METHOD}` it notices."""

import concurrent.futures
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import grpc

messages, services = grpc.protos_and_services("interop.proto")
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


def tell(**what):
    print(json.dumps(what), flush=True)


def echo_metadata(context):
    sent = dict(context.invocation_metadata())
    if INITIAL in sent:
        context.send_initial_metadata(((INITIAL, sent[INITIAL]),))
    if TRAILING in sent:
        context.set_trailing_metadata(((TRAILING, sent[TRAILING]),))


def echo_status(request, context):
    if request.response_status.code:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


def payload(size):
    return messages.Payload(body=b"\0" * size)


def outputs(request):
    for wanted in request.response_parameters:
        time.sleep(wanted.interval_us / 1e6)
        yield messages.StreamingOutputCallResponse(payload=payload(wanted.size))


def tell_if_cancelled(method, context):
    """Tells when the call ends before what is returned was called."""
    ended = []
    context.add_callback(lambda: ended or tell(cancelled=method))
    return lambda: ended.append(True)


class Service(services.TestServiceServicer):
    def EmptyCall(self, request, context):
        return messages.Empty()

    def UnaryCall(self, request, context):
        echo_metadata(context)
        echo_status(request, context)
        return messages.SimpleResponse(payload=payload(request.response_size))

    def StreamingOutputCall(self, request, context):
        yield from outputs(request)

    def StreamingInputCall(self, requests, context):
        done = tell_if_cancelled("StreamingInputCall", context)
        total = sum(len(request.payload.body) for request in requests)
        done()
        return messages.StreamingInputCallResponse(aggregated_payload_size=total)

    def FullDuplexCall(self, requests, context):
        done = tell_if_cancelled("FullDuplexCall", context)
        echo_metadata(context)
        for request in requests:
            if request.response_status.code:
                done()
            echo_status(request, context)
            yield from outputs(request)
        done()


server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
services.add_TestServiceServicer_to_server(Service(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
tell(port=port)
server.wait_for_termination()
