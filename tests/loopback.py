"""Free ports of loopback, and waiting for a condition: for tests and benchmarks that start servers."""

import contextlib
import random
import socket
import time


class TooLate(Exception):
    """A wait that timed out. One sentence: what was waited for, and how long."""


def free_port():
    """A port that is free and below the ephemeral ports, which the system gives to clients, from 32768 on."""
    for port in random.sample(range(16_384, 32_768), 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise TooLate("none of a hundred ports is free")


def until(condition, what, seconds=60, pause=0.02):
    """Wait until the condition returns a truthy value, and return that. An OSError means that a server does
    not answer yet, and is retried too. Raises TooLate after `seconds`."""
    deadline, unanswered = time.monotonic() + seconds, None
    while True:
        try:
            if value := condition():
                return value
        except OSError as error:
            unanswered = error
        if time.monotonic() > deadline:
            raise TooLate(f"waited {seconds:g} s for {what}") from unanswered
        time.sleep(pause)
