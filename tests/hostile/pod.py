"""A manifest in; a running detector, limited to the memory of the default pod, out, and requests to it."""

import http.client
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cgroup import Cgroup

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from loopback import free_port, until  # noqa: E402, F401

TICKS = os.sysconf("SC_CLK_TCK")
# The environment variables that the image sets.
IMAGE = dict(word.split("=", 1) for line in (HERE / "../../Dockerfile").read_text().splitlines() if line.startswith("ENV ") for word in line.split()[1:])
ANY_CERTIFICATE = ssl._create_unverified_context()
LIBFAKETIME = "/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1".format(os.uname().machine)


class Failed(Exception):
    """A case that failed. One sentence: what was expected, and what was seen."""


class ReadinessLie(Failed):
    """The detector said that it was ready when it was not, or the reverse."""


def check(condition, sentence):
    """The case fails with the sentence unless the condition holds."""
    if not condition:
        raise Failed(sentence)


@dataclass
class Usage:
    """What a case cost the detector, and how other clients fared: `latencies` in milliseconds, `failed`
    requests."""

    rss_mib: float
    cpu_s: float
    latencies: list
    failed: list


@dataclass
class Answer:
    """An answer: the status, the headers in lower case, the first bytes and the length of the body."""

    status: int
    headers: dict
    start: bytes
    length: int

    def text(self):
        return self.start.decode("utf-8", "replace")


class Pod:
    """`detector run` on a manifest. `files`: name -> bytes beside the manifest; `nofile`: the limit of open files;
    `clock`: seconds by which a file of libfaketime moves the wall clock (see `set_clock`), the monotonic one stays; `token`: the
    predict port speaks TLS, and this token is valid there."""

    def __init__(self, program, manifest, args=(), files=None, limit_mib=128, nofile=None, clock=None, prober=True, token=None):
        self.program, self.is_probed, self.token = program, prober, token
        self.folder = tempfile.TemporaryDirectory(prefix="hostile-")
        self.path = Path(self.folder.name)
        (self.path / "detector.yaml").write_text(manifest)
        for name, content in (files or {}).items():
            (self.path / name).write_bytes(content() if callable(content) else content)
        self.args, self.nofile, self.clock = list(args), nofile, clock
        self.cgroup = Cgroup(limit_mib)
        self.predict, self.metrics = free_port(), free_port()
        self.log = open(self.path / "log", "ab")
        self.process = self.prober = None
        self.start()

    def start(self):
        """Start the process, and the process of its other clients."""

        def before():
            self.cgroup.enter()
            if self.nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.nofile, self.nofile))

        environment = os.environ | IMAGE
        if self.clock is not None:
            self.set_clock(self.clock)
            environment |= {
                "LD_PRELOAD": LIBFAKETIME,
                "FAKETIME_TIMESTAMP_FILE": str(self.path / "clock"),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
        program = self.program if self.clock is None else os.environ["DETECTOR_DYNAMIC"]
        command = [program, "run", "detector.yaml", *self.args]
        command += ["--predict-address", f"127.0.0.1:{self.predict}", "--metrics-address", f"127.0.0.1:{self.metrics}"]
        self.process = subprocess.Popen(
            command, cwd=self.path, env=environment, preexec_fn=before,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log,
        )
        if self.is_probed:
            self.prober = subprocess.Popen(
                [sys.executable, "-B", str(HERE / "prober.py"), str(self.predict), str(self.metrics), *([self.token] if self.token else [])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            )

    def set_clock(self, seconds):
        """Set the detector's wall clock to this many seconds ahead of the real time."""
        new = self.path / "clock.new"
        new.write_text(f"{seconds:+d}s\n")
        new.rename(self.path / "clock")

    def is_alive(self):
        return self.process.poll() is None

    def until_serving(self, seconds=60.0):
        """Wait until a model serves."""

        def serving():
            check(self.is_alive(), f"the detector ended: {self.last_log()}")
            return self.report().get("phase", {}).get("name") == "serving"

        until(serving, "a model that serves", seconds)
        return self

    def last_log(self):
        lines = (self.path / "log").read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])

    def report(self):
        """The answer to `GET /status`; empty while the detector does not answer."""
        try:
            return json.loads(self.get("/status").start)
        except (OSError, ValueError, http.client.HTTPException):
            return {}

    def ready(self):
        """(ready, what /readyz says)."""
        answer = self.get("/readyz")
        return answer.status == 200, answer.text()

    def metric(self, series):
        """The sum of all series whose line starts with `series`; 0 if there is none."""
        lines = self.get("/metrics", keep=1 << 20).text().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series))

    def get(self, path, port="metrics", timeout=10.0, keep=65536):
        return self.ask(path, method="GET", port=port, timeout=timeout, keep=keep)

    def ask(self, path, body=b"", method="POST", headers=None, port="predict", timeout=60.0, keep=4096):
        """One request on a connection of its own. The answer is read to its end; `keep` bytes of the body are
        kept."""
        address, headers = ("127.0.0.1", getattr(self, port)), dict(headers or {})
        if self.token and port == "predict":
            headers.setdefault("Authorization", f"Bearer {self.token}")
            connection = http.client.HTTPSConnection(*address, timeout=timeout, context=ANY_CERTIFICATE)
        else:
            connection = http.client.HTTPConnection(*address, timeout=timeout)
        try:
            try:
                connection.request(method, path, body=body or None, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has answered and closed before the whole body was sent
            response = connection.getresponse()
            start, length = response.read(keep), 0
            length = len(start)
            while chunk := response.read(1 << 16):
                length += len(chunk)
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, start, length)
        finally:
            connection.close()

    def raw(self, data, port="predict", timeout=30.0, most=1 << 20):
        """Send bytes; return what comes back until the server closes the connection, or sends nothing for the
        timeout."""
        with self.connect(port, timeout) as stream:
            try:
                stream.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            received = b""
            try:
                while len(received) < most and (chunk := stream.recv(65536)):
                    received += chunk
            except (ConnectionResetError, TimeoutError):
                pass
            return received

    def connect(self, port="predict", timeout=30.0):
        return socket.create_connection(("127.0.0.1", getattr(self, port)), timeout=timeout)

    def begin(self):
        """Reset peak memory, CPU time and latencies, at the beginning of a case."""
        (Path("/proc") / str(self.process.pid) / "clear_refs").write_text("5")
        self.cpu_before = self._cpu()
        if self.prober:
            self._mark()

    def usage(self):
        """The usage since `begin`."""
        rss = 0.0
        try:
            for line in (Path("/proc") / str(self.process.pid) / "status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    rss = int(line.split()[1]) / 1024
            cpu = self._cpu() - self.cpu_before
        except (FileNotFoundError, ProcessLookupError):
            cpu = 0.0
        latencies, failed = self._mark() if self.prober else ([], [])
        return Usage(rss, cpu, latencies, failed)

    def _cpu(self):
        fields = (Path("/proc") / str(self.process.pid) / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def _mark(self):
        """The latencies of the other clients since the last mark, in milliseconds, and their failed
        requests."""
        self.prober.stdin.write("mark\n")
        said = json.loads(self.prober.stdout.readline())
        return said["latencies"], said["failed"]

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=30.0):
        """The exit code; the case fails where it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"the detector has not ended after {seconds:g} s") from None

    def close(self):
        if self.prober:
            self.prober.kill()
            self.prober.wait()
        if self.is_alive():
            self.process.kill()
        self.process.wait()
        self.log.close()
        until(lambda: not (self.cgroup.path / "cgroup.procs").read_text().strip(), "the cgroup to be empty")
        self.cgroup.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
