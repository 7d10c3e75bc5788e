#!/usr/bin/env python3
"""deploy/worker/a2s.py asks a real process over UDP: tests/system/a2s-server. The worker's use of it is in tests/system/worker.sh."""

import os
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib"), os.path.join(HERE, "../deploy/worker")]
from a2s import players  # noqa: E402
from tap import Tap  # noqa: E402

tap = Tap()


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]


def ask(options, times):
    """What is counted of a server with these options, asked so often."""
    port = free_port()
    with subprocess.Popen([os.path.join(HERE, "system/a2s-server"), *options, "+hostport", str(port)], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        try:
            return [players(port, patience=5 if times > 1 else 2) for _ in range(times)]
        finally:
            server.kill()


tap.equal(ask([], 4), [2, 1, 0, 0], "with a challenge, behind a lost datagram, without the bot")
tap.equal(ask(["-open"], 3), [2, 1, 0], "without a challenge")
tap.equal(ask(["-silent"], 1), [None], "no answer")
tap.equal(ask(["-nonsense"], 1), [None], "an answer of too few words")
tap.equal(ask(["-short"], 1), [None], "an answer that is cut")
tap.equal(players(free_port(), patience=2), None, "nobody listens")
tap.equal(players(free_port(), host="255.255.255.255", patience=2), None, "the kernel refuses the address")
tap.done()
