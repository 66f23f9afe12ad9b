"""A memory limit in; the peak memory of a process, and the number of processes killed for the limit, out.
Cgroup v1 and v2."""

import itertools
import os
from pathlib import Path

V2 = Path("/sys/fs/cgroup/cgroup.controllers")
NUMBERS = itertools.count()


class Cgroup:
    """A memory cgroup, removed at the end."""

    def __init__(self, limit_mib):
        self.is_v2 = V2.exists()
        root = Path("/sys/fs/cgroup") if self.is_v2 else Path("/sys/fs/cgroup/memory")
        if self.is_v2 and "memory" not in (root / "cgroup.subtree_control").read_text():
            (root / "cgroup.subtree_control").write_text("+memory")
        self.path = root / f"detector-hostile-{os.getpid()}-{next(NUMBERS)}"
        self.path.mkdir()
        limit = str(limit_mib << 20)
        if self.is_v2:
            self._write("memory.max", limit)
            self._write("memory.swap.max", "0")
        else:
            self._write("memory.limit_in_bytes", limit)
            self._write("memory.memsw.limit_in_bytes", limit)

    def _write(self, name, value):
        try:
            (self.path / name).write_text(value)
        except OSError:
            if "swap" not in name and "memsw" not in name:  # a kernel without swap accounting has none to limit
                raise

    def enter(self):
        """Move the calling process into the cgroup: called in the child, before exec."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def kills(self):
        """The number of processes that the kernel has killed for the limit."""
        text = (self.path / ("memory.events" if self.is_v2 else "memory.oom_control")).read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def peak_mib(self):
        """The peak memory that was charged, in MiB, page cache included; 0 if the kernel does not report
        it."""
        file = self.path / ("memory.peak" if self.is_v2 else "memory.max_usage_in_bytes")
        return int(file.read_text()) / 2**20 if file.exists() else 0.0

    def close(self):
        try:
            self.path.rmdir()
        except OSError:
            pass  # a process is still dying in it
