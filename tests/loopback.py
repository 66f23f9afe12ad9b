"""A free port of loopback, and a wait for what a server on it does: for tests and benchmarks that start one."""

import contextlib
import random
import socket
import time


class TooLate(Exception):
    """What was waited for, and how long: one sentence."""


def free_port():
    """A port that nobody has, and nobody gets who asks for any: the system gives clients those from 32768 on."""
    for port in random.sample(range(16_384, 32_768), 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise TooLate("none of a hundred ports is free")


def until(condition, what, seconds=60, pause=0.02):
    """The first truthy value of the condition. That a server does not answer yet, an OSError, is the same as none."""
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
