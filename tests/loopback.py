"""A free port of loopback, and a wait for what a server on it does: for tests and benchmarks that start one."""

import socket
import time


class TooLate(Exception):
    """What was waited for, and how long: one sentence."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
