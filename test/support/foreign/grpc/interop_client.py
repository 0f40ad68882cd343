"""Runs gRPC's interoperability cases against `127.0.0.1:PORT`: a JSON line for each, `{"case": …, "error": null or why}`."""

import json
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(__file__))
import grpc
from google.protobuf import json_format

messages, services = grpc.protos_and_services("interop.proto")
status = grpc.protos("status.proto")
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
PAIRS = ((31415, 27182), (9, 8), (2653, 1828), (58979, 45904))
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


def payload(size):
    return messages.Payload(body=b"\0" * size)


def output(sizes, sent=0, interval_us=0, status=None):
    wanted = [messages.ResponseParameters(size=size, interval_us=interval_us) for size in sizes]
    return messages.StreamingOutputCallRequest(response_parameters=wanted, payload=payload(sent), response_status=status)


def same(what, wanted):
    assert what == wanted, f"{what!r} instead of {wanted!r}"


def fails(call, code):
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        same(error.code(), code)
        return error
    raise AssertionError(f"no {code}")


def unary_fails(begin, code):
    try:
        begin()
    except grpc.RpcError as error:
        same(error.code(), code)
        return error
    raise AssertionError(f"no {code}")


def duplex(stub, **options):
    """A call to which the case gives one request at a time."""
    import queue

    waiting = queue.Queue()
    call = stub.FullDuplexCall(iter(waiting.get, None), timeout=options.pop("timeout", 20), **options)
    return waiting, call


class Cases:
    def __init__(self, stub, channel):
        self.stub, self.channel = stub, channel

    def empty_unary(self):
        same(self.stub.EmptyCall(messages.Empty(), timeout=20), messages.Empty())

    def large_unary(self):
        request = messages.SimpleRequest(response_size=314159, payload=payload(271828))
        same(len(self.stub.UnaryCall(request, timeout=20).payload.body), 314159)

    def client_streaming(self):
        requests = (messages.StreamingInputCallRequest(payload=payload(size)) for size in (27182, 8, 1828, 45904))
        same(self.stub.StreamingInputCall(requests, timeout=20).aggregated_payload_size, 74922)

    def server_streaming(self):
        answers = self.stub.StreamingOutputCall(output(size for size, _ in PAIRS), timeout=20)
        same([len(answer.payload.body) for answer in answers], [size for size, _ in PAIRS])

    def ping_pong(self):
        waiting, call = duplex(self.stub)
        for size, sent in PAIRS:
            waiting.put(output([size], sent))
            same(len(next(call).payload.body), size)
        waiting.put(None)
        same(list(call), [])

    def empty_stream(self):
        waiting, call = duplex(self.stub)
        waiting.put(None)
        same(list(call), [])

    def cancel_after_begin(self):
        def never():
            import time

            time.sleep(1)
            return
            yield

        call = self.stub.StreamingInputCall.future(never(), timeout=20)
        call.cancel()
        same(call.code(), grpc.StatusCode.CANCELLED)

    def cancel_after_first_response(self):
        waiting, call = duplex(self.stub)
        waiting.put(output([31415], 27182))
        same(len(next(call).payload.body), 31415)
        call.cancel()
        fails(call, grpc.StatusCode.CANCELLED)
        waiting.put(None)

    def timeout_on_sleeping_server(self):
        waiting, call = duplex(self.stub, timeout=0.2)
        waiting.put(output([31415], 27182, interval_us=2_000_000))
        fails(call, grpc.StatusCode.DEADLINE_EXCEEDED)
        waiting.put(None)

    def status_code_and_message(self):
        status = messages.EchoStatus(code=2, message="test status message")
        request = messages.SimpleRequest(response_status=status)
        error = unary_fails(lambda: self.stub.UnaryCall(request, timeout=20), grpc.StatusCode.UNKNOWN)
        same(error.details(), "test status message")
        waiting, call = duplex(self.stub)
        waiting.put(output([], status=status))
        same(fails(call, grpc.StatusCode.UNKNOWN).details(), "test status message")
        waiting.put(None)

    def special_status_message(self):
        request = messages.SimpleRequest(response_status=messages.EchoStatus(code=2, message=SPECIAL))
        error = unary_fails(lambda: self.stub.UnaryCall(request, timeout=20), grpc.StatusCode.UNKNOWN)
        same(error.details(), SPECIAL)

    def unimplemented_method(self):
        call = lambda: self.stub.UnimplementedCall(messages.Empty(), timeout=20)
        unary_fails(call, grpc.StatusCode.UNIMPLEMENTED)

    def unimplemented_service(self):
        unknown = self.channel.unary_unary("/grpc.testing.Unknown/Call")
        unary_fails(lambda: unknown(b"", timeout=20), grpc.StatusCode.UNIMPLEMENTED)

    def custom_metadata(self):
        metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
        request = messages.SimpleRequest(response_size=314159, payload=payload(271828))
        _answer, call = self.stub.UnaryCall.with_call(request, metadata=metadata, timeout=20)
        same(dict(call.initial_metadata())[INITIAL], metadata[0][1])
        same(dict(call.trailing_metadata())[TRAILING], metadata[1][1])
        waiting, call = duplex(self.stub, metadata=metadata)
        waiting.put(output([314159], 271828))
        waiting.put(None)
        same([len(answer.payload.body) for answer in call], [314159])
        same(dict(call.initial_metadata())[INITIAL], metadata[0][1])
        same(dict(call.trailing_metadata())[TRAILING], metadata[1][1])


def refused(port):
    """What a call is told that our agents refuse: code, message, the decision's name and the status's details."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            services.TestServiceStub(channel).EmptyCall(messages.Empty(), timeout=20)
        except grpc.RpcError as error:
            metadata = [*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())]
            decision = dict(metadata).get("x-eastwest-decision")
            details = read_details(dict(metadata).get("grpc-status-details-bin"))
            return {"code": error.code().value[0], "message": error.details(), "decision": decision, "details": details}
    return {"code": 0, "message": "", "decision": None, "details": None}


def read_details(value):
    """`grpc-status-details-bin` with the fields of its details, by the names of their types."""
    if value is None:
        return None
    known = {"ErrorInfo": status.ErrorInfo, "RequestInfo": status.RequestInfo}
    read = status.Status.FromString(value)
    details = {}
    for detail in read.details:
        name = detail.type_url.removeprefix("type.googleapis.com/google.rpc.")
        details[name] = json_format.MessageToDict(known[name].FromString(detail.value))
    return {"code": read.code, "message": read.message, "details": details}


if sys.argv[1] == "refused":
    print(json.dumps(refused(sys.argv[2])))
else:
    with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
        cases = Cases(services.TestServiceStub(channel), channel)
        for name in sys.argv[2:]:
            try:
                getattr(cases, name)()
                print(json.dumps({"case": name, "error": None}), flush=True)
            except Exception:
                print(json.dumps({"case": name, "error": traceback.format_exc()}), flush=True)
