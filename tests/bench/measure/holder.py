"""Both ends of connections that are held: `holder.py server COLOR` and `holder.py client PORT COUNT`, processes.

server  prints its port; answers an upgrade with 101 and then sends back every byte, anything else with 200.
client  makes COUNT upgraded connections to PORT and prints "ready". For each line on its stdin it sends one byte
        over every connection, waits for it to come back, and prints how many did; it ends with its stdin.

A process may hold 20,000 files here, so many connections take several clients.
"""

import pathlib
import resource
import select
import socket
import subprocess
import sys

UPGRADE = b"GET /ws HTTP/1.1\r\nHost: held\r\nConnection: Upgrade\r\nUpgrade: held\r\n\r\n"
PATIENCE = 60.0


def more_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def answer_head(sock: socket.socket, color: str, head: bytes) -> bool:
    """True when the connection is upgraded."""
    if b"pgrade:" in head:
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: held\r\n\r\n")
        return True
    sock.sendall(f"HTTP/1.1 200 OK\r\nX-Color: {color}\r\nContent-Length: 3\r\n\r\nok\n".encode())
    return False


def serve(color: str) -> None:
    more_files()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    open_: dict[int, socket.socket] = {}
    upgraded: set[int] = set()
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                open_[sock.fileno()] = sock
                poll.register(sock, select.EPOLLIN)
                continue
            try:
                data = open_[number].recv(4096)
                if data and number in upgraded:
                    open_[number].sendall(data)
                elif data and answer_head(open_[number], color, data):
                    upgraded.add(number)
            except OSError:
                data = b""
            if not data:
                upgraded.discard(number)
                open_.pop(number).close()


def hold(port: int, count: int) -> None:
    more_files()
    held: dict[int, socket.socket] = {}
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        sock.sendall(UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = sock.recv(1)
            if not data:
                raise SystemExit(f"no upgrade: {head!r}")
            head += data
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"no upgrade: {head!r}")
        held[sock.fileno()] = sock
    print("ready", flush=True)
    poll = select.epoll()
    for number in held:
        poll.register(number, select.EPOLLIN)
    for _ in sys.stdin:
        print(echo_all(poll, held), flush=True)


def echo_all(poll: select.epoll, held: dict[int, socket.socket]) -> int:
    """How many connections gave their byte back; one that did not is never asked again."""
    waiting = set()
    for number, sock in list(held.items()):
        try:
            sock.sendall(b"x")
            waiting.add(number)
        except OSError:
            held.pop(number).close()
    alive = 0
    while waiting:
        events = poll.poll(PATIENCE)
        if not events:
            break
        for number, _ in events:
            try:
                data = held[number].recv(16)
            except OSError:
                data = b""
            waiting.discard(number)
            if data:
                alive += 1
            else:
                held.pop(number).close()
    return alive


class Server:
    """`serve` as a process, for a `with` block."""

    def __init__(self, color: str) -> None:
        self.process = subprocess.Popen([sys.executable, pathlib.Path(__file__), "server", color],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


class Clients:
    """`hold` in several processes, COUNT connections together."""

    def __init__(self, port: int, count: int, processes: int = 1) -> None:
        self.count = count
        shares = [count // processes + (1 if i < count % processes else 0) for i in range(processes)]
        self.processes = [subprocess.Popen([sys.executable, pathlib.Path(__file__), "client", str(port), str(share)],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                          for share in shares]

    def __enter__(self) -> "Clients":
        for process in self.processes:
            if process.stdout.readline().strip() != "ready":
                self.__exit__()
                raise AssertionError("a client could not make its connections")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def alive(self) -> int:
        """How many connections bring a byte to the backend and back, now."""
        for process in self.processes:
            process.stdin.write("echo\n")
            process.stdin.flush()
        return sum(int(process.stdout.readline()) for process in self.processes)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(sys.argv[2])
    else:
        hold(int(sys.argv[2]), int(sys.argv[3]))
