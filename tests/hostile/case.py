"""What a case is: a name, what is done, and what is expected. The tables in `cases/` are made of these.

A case is one of four kinds:

* `Request`: an HTTP request with a body (bytes, or a function that makes them); expects a status and a text
  in the answer.
* `Raw`: bytes sent on a connection as they are; expects how the answer starts.
* `Scenario`: a function that gets a pod and does anything; it fails by `check(condition, sentence)`.
* `Command`: `detector ARGUMENTS` in a folder with these files, in a cgroup of its own; expects an exit code
  and a text.

Large bodies and bombs are generated when the case runs, and never stored. `slow` cases are left out of
`make test`. Peak resident memory, CPU seconds and other clients' latencies are measured during every case and
checked by the runner.
"""

import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from cgroup import Cgroup
from pod import Failed, Usage, check

CPU_S = 5.0
RSS_MIB = 112.0
LATENCY_MS = 250.0


@dataclass(kw_only=True)
class Case:
    """The fields of all kinds of cases. `pod`: the name, in `cases/pods.py`, of the detector under test."""

    name: str
    pod: str = "plain"
    slow: bool = False
    cpu_s: float = CPU_S
    rss_mib: float = RSS_MIB
    latency_ms: float = LATENCY_MS


def content(source):
    return source() if callable(source) else source


@dataclass(kw_only=True)
class Request(Case):
    """A request, `copies` of it at once. `expect`: the status, or the statuses that are right; `says`: text that the
    answer must hold."""

    body: object = b""
    path: str = "/predict"
    method: str = "POST"
    headers: dict = field(default_factory=dict)
    port: str = "predict"
    expect: object = 200
    says: str = ""
    copies: int = 1
    timeout: float = 60.0

    def run(self, pod):
        body = content(self.body)
        answers, errors = [], []

        def ask():
            try:
                answers.append(pod.ask(self.path, body, self.method, self.headers, self.port, self.timeout))
            except Exception as error:  # noqa: BLE001, whatever it is, the case fails with it
                errors.append(error)

        threads = [Thread(target=ask) for _ in range(self.copies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not errors, f"{len(errors)} of {self.copies} got no answer: {errors[:1]!r}")
        right = self.expect if isinstance(self.expect, tuple) else (self.expect,)
        for answer in answers:
            check(answer.status in right, f"expected {self.expect}, got {answer.status}: {answer.text()[:200]}")
            check(self.says in answer.text(), f"expected {self.says!r}, got {answer.text()[:300]!r}")


@dataclass(kw_only=True)
class Raw(Case):
    """Bytes on the wire. `expect`: how one of the lines of the answer starts, or "" if the connection must
    end without an answer."""

    data: object = b""
    port: str = "predict"
    expect: str = "HTTP/1.1 400"
    timeout: float = 15.0

    def run(self, pod):
        answer = pod.raw(content(self.data), self.port, self.timeout).decode("latin-1")
        if self.expect:
            lines = answer.split("\r\n")
            check(any(line.startswith(self.expect) for line in lines), f"expected {self.expect!r}, got {answer[:200]!r}")
        else:
            check(not answer, f"expected no answer, got {answer[:200]!r}")


@dataclass(kw_only=True)
class Scenario(Case):
    """`do(pod)` does everything. With `pod=None` it starts its own detector, and gets the program's path
    instead of a pod."""

    do: object = None

    def run(self, pod):
        return self.do(pod)


@dataclass(kw_only=True)
class Command(Case):
    """`detector ARGUMENTS`. `files`: name -> bytes, or a function that makes them; `expect`: the exit code, or those that
    are right; `says`: text that the output must hold."""

    args: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    stdin: object = b""
    expect: object = 0
    says: str = ""
    limit_mib: int = 128
    timeout: float = 60.0
    pod: str = ""

    def run_command(self, program):
        """Run the command: its usage, the number of processes killed for the memory limit, and what was wrong
        or ""."""
        cgroup = Cgroup(self.limit_mib)
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            for name, each in self.files.items():
                (Path(folder) / name).write_bytes(content(each))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            process = subprocess.Popen(
                [program, *self.args], cwd=folder, preexec_fn=cgroup.enter,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            rss = Watch(process.pid)
            try:
                output, _ = process.communicate(content(self.stdin), timeout=self.timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise Failed(f"not done after {self.timeout:g} s") from None
            finally:
                peak = rss.stop()
                killed = cgroup.kills()
                cgroup.close()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        usage, text = Usage(peak, cpu, [], []), output.decode("utf-8", "replace")
        right = self.expect if isinstance(self.expect, tuple) else (self.expect,)
        problem = ""
        if process.returncode not in right:
            problem = f"expected exit code {self.expect}, got {process.returncode}: {text[-300:]}"
        elif self.says not in text:
            problem = f"expected {self.says!r}, got {text[-300:]!r}"
        return usage, killed, problem


class Watch(Thread):
    """Records the peak resident memory of a process in MiB, until the process ends or `stop` is called."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status, self.peak, self.is_over = Path(f"/proc/{pid}/status"), 0.0, False
        self.start()

    def run(self):
        while not self.is_over:
            try:
                for line in self.status.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, int(line.split()[1]) / 1024)
            except (FileNotFoundError, ProcessLookupError):
                return
            time.sleep(0.002)

    def stop(self):
        self.is_over = True
        self.join()
        return self.peak
