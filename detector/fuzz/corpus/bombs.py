"""Writes small files that would be large once they are read: `bombs.py FOLDER`. They are the cases of tests/hostile, and
never stored."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "tests/hostile"))
from cases.files import FOREIGN, OURS, content  # noqa: E402

MAX_BYTES = 1 << 17  # a fuzzer that begins with megabytes does not get far

folder = pathlib.Path(sys.argv[1])
for number, source in enumerate([*FOREIGN.values(), *OURS.values()]):
    bomb = content(source)
    if len(bomb) <= MAX_BYTES:
        (folder / f"bomb-{number}").write_bytes(bomb)
