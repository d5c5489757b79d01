"""A gRPC server on bare messages (no .proto): argument 1 is its port.

/test.Gate/NAME    unary: asks the gate (GATE) for /NAME and answers with what that says
/test.Echo/talk    both sides stream: each message comes back with the color before it
"""

import concurrent.futures
import os
import sys
import urllib.request

import grpc


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        _, service, name = details.method.split("/")
        if service == "test.Echo":
            return grpc.stream_stream_rpc_method_handler(talk)
        return grpc.unary_unary_rpc_method_handler(lambda message, _: ask(name))


def ask(name):
    with urllib.request.urlopen(f"{os.environ['GATE']}/{name}") as answer:
        return answer.read()


def talk(messages, _):
    for message in messages:
        yield os.environ["COLOR"].encode() + b" " + message


server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
server.add_generic_rpc_handlers([Service()])
assert server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
