"""A network namespace for the whole test session: its own loopback, bridges and iptables.

A second Docker engine in one namespace would take the first one's bridge away; here it meets
nobody, and nothing that the tests send leaves the machine. Everything that the session starts
afterwards is inside; the namespace ends with its last process.
"""

import ctypes
import os

from shell import run

CLONE_NEWNET = 0x40000000


def enter_own_network():
    library = ctypes.CDLL(None, use_errno=True)  # os.unshare is Python 3.12's
    if library.unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare of the network: {os.strerror(error)}; the end-to-end tests need root")
    run("ip", "link", "set", "lo", "up")
