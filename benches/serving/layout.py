"""A detector with symbols in; a linker script with the functions that predictions call out. See `layout`."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from loopback import free_port, until  # noqa: E402

REQUESTS = 2000
# Functions with fewer are not called by every request, but by clocks, scrapes and the next reading.
MIN_INSTRUCTIONS = 2  # instructions a request
# The most functions that a pattern may match. A name that matches more is used all over the program, and
# predictions call few of these functions.
MAX_MATCHES = 50

MANIFEST = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: layout}
spec:
  sources: [{name: simulation, simulated: {seed: 42, sensors: [{name: value, baseline: 0.5}]}}]
  model: {train: {samples: 1000}}
"""

HEAD = """\
/* Where the linker puts the functions that a prediction goes through: side by side, in a thirtieth of the program. Scattered over all
   of it, they take a tenth more of a processor, for they are not in its caches. Written by benches/serving/layout; a name that no
   function has places nothing. */
SECTIONS {
  .text.predict : {
"""
FOOT = """\
  }
}
INSERT BEFORE .text;
"""


def ask(connection):
    connection.request("POST", "/predict", '{"value":0.95}', {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def connected(address):
    """A connection to the detector, or None if the answer is not 200."""
    connection = http.client.HTTPConnection(address)
    return connection if ask(connection) == 200 else None


def counted(program):
    """The instructions of REQUESTS predictions, by the mangled name of the function."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = os.path.join(folder, "layout.yaml")
        with open(manifest, "w") as file:
            file.write(MANIFEST)
        out = os.path.join(folder, "out")
        address, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
        tool = ["valgrind", "--quiet", "--demangle=no", "--tool=callgrind", "--instr-atstart=no"]
        tool += [f"--callgrind-out-file={out}", program, "run", manifest]
        tool += ["--predict-address", address, "--metrics-address", metrics]
        process = subprocess.Popen(tool, stdout=subprocess.DEVNULL)
        try:
            connection = until(lambda: connected(address), "the detector to answer")
            control = ["callgrind_control", "-i"]
            subprocess.run([*control, "on", str(process.pid)], check=True, stdout=subprocess.DEVNULL)
            for _ in range(REQUESTS):
                ask(connection)
            subprocess.run([*control, "off", str(process.pid)], check=True, stdout=subprocess.DEVNULL)
        finally:
            process.terminate()
            process.wait()
        annotate = ["callgrind_annotate", "--threshold=100", "--show=Ir", out]
        listing = subprocess.run(annotate, check=True, capture_output=True, text=True).stdout
    functions = {}
    for count, name in re.findall(r"^ *([\d,]+) \([^)]*\) +\S*?:(_[ZR]\w[^\s\[']*)", listing, re.MULTILINE):
        functions[name] = functions.get(name, 0) + int(count.replace(",", ""))
    return functions


def named(program):
    """The number of the program's functions that each pattern matches."""
    listing = subprocess.run(["nm", "--defined-only", program], check=True, capture_output=True, text=True).stdout
    return Counter(pattern(line.split()[-1]) for line in listing.splitlines() if line.split()[-2] in "tTwW")


def pattern(name):
    """The name with wildcards for the hashes, which differ by compiler and by version of a crate."""
    name = re.sub(r"17h[0-9a-f]{16}E.*$", "17h*", name)
    name = re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name)
    return name.replace("$", "?")


def main():
    program, script = sys.argv[1:]
    functions, names = counted(program), named(program)
    hot = [name for name in sorted(functions, key=functions.get, reverse=True) if functions[name] >= MIN_INSTRUCTIONS * REQUESTS]
    patterns = [each for each in dict.fromkeys(map(pattern, hot)) if names[each] <= MAX_MATCHES]
    lines = [f"    *(.text.{each})\n" for each in patterns]
    with open(script, "w") as file:
        file.write(HEAD + "".join(lines) + FOOT)
    print(f"{script}: {len(lines)} names")


main()
