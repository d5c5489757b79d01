"""grpc.health.v1 on bare messages (no .proto): argument 1 is the port, 2 and 3 certificate and key or nothing.

Reads "SERVICE NUMBER" lines (serving status; "-" is the whole server, 0 UNKNOWN, 1 SERVING, 2 NOT_SERVING) from
stdin and says "taken" after each; a service that was not named is answered NOT_FOUND. Not to be called
grpc_health: `import grpc` looks for a module of that name.
"""

import concurrent.futures
import sys

import grpc

serving = {b"": 1}


def check(message, context):
    # HealthCheckRequest: field 1, the service, as one string of less than 128 bytes
    service = message[2:2 + message[1]] if message else b""
    if service not in serving:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
    return bytes([8, serving[service]])  # HealthCheckResponse: field 1, the status


class Health(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(check)
        return None


server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
server.add_generic_rpc_handlers([Health()])
address = f"127.0.0.1:{sys.argv[1]}"
if len(sys.argv) > 2:
    cert, key = (open(path, "rb").read() for path in sys.argv[2:4])
    assert server.add_secure_port(address, grpc.ssl_server_credentials([(key, cert)]))
else:
    assert server.add_insecure_port(address)
server.start()
print("taken", flush=True)
for line in sys.stdin:
    name, number = line.split()
    serving[b"" if name == "-" else name.encode()] = int(number)
    print("taken", flush=True)
