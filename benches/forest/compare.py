"""Times this project's forest beside the others, in one session, and prints the table, the growth and the
figures.

    python compare.py FOLDER [REPETITIONS]

FOLDER holds the files that `run` put there. Each measurement is a process of its own. The engines take turns,
in a different order each time, so that other load on the machine affects all of them alike. Ratios of one
thread are ratios of CPU time; those of two threads are ratios of wall-clock time.
"""
import collections
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
PYTHON = ["scikit-learn", "isotree", "coniferest", "treelite", "tl2cgen", "onnxruntime"]
CRATES = ["extended-isolation-forest", "rustyml", "scry-learn"]
OUR = "anomaly-operator"
#: The second is built without AVX-512 (the feature `portable`).
OURS = {OUR: "engine", f"{OUR}, portable": "portable"}
SHAPES = [(100_000, 1), (100_000, 8), (100_000, 32)]
MILLION = (1_000_000, 8)
#: The engines whose fit does not read every row several times.
FAST_FITS = ["coniferest", "isotree", "rustyml"]


def command(folder, engine, rows, columns, threads, extra=()):
    path = str(folder / "data" / f"{rows}x{columns}.f64")
    score = min(rows, 100_000)
    shape = [path, str(rows), str(score), str(columns)]
    if engine in OURS:
        return [str(folder / "target" / OURS[engine] / "release/engine"), *shape, *map(str, extra)]
    if engine in CRATES:
        return [str(folder / "target/rivals/release/rivals"), engine, *shape]
    return [sys.executable, str(HERE / "worker.py"), engine, *shape, str(threads), str(folder)]


def measure(folder, engine, rows, columns, threads, extra=()):
    threads_of = dict.fromkeys(["OMP_NUM_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT"], str(threads))
    environment = {**os.environ, **threads_of, "OPENBLAS_NUM_THREADS": "1"}
    line = command(folder, engine, rows, columns, threads, extra)
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(line)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def jobs():
    for rows, columns in SHAPES:
        for engine in [*OURS, *PYTHON, *CRATES]:
            yield engine, rows, columns, 1
    for engine in [OUR, *FAST_FITS]:
        yield engine, *MILLION, 1
    for engine in [OUR, "coniferest", "tl2cgen"]:
        yield engine, 100_000, 8, 2


def session(folder, repetitions):
    results = collections.defaultdict(list)
    for repetition in range(repetitions):
        order = list(jobs())
        random.Random(repetition).shuffle(order)
        for at, job in enumerate(order):
            print(f"\r{repetition + 1}/{repetitions} {at + 1}/{len(order)} {job[0]:40}", end="", file=sys.stderr)
            results[job].append(measure(folder, *job))
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return results


def median(results, job, key):
    values = [result[key] for result in results[job] if key in result]
    return statistics.median(values) if values else None


def show(number, scale=1.0):
    return "" if number is None else f"{number * scale:,.{0 if number * scale >= 100 else 2}f}"


def table(results):
    for rows, columns, threads in sorted({job[1:] for job in results}, key=lambda shape: (shape[2], shape)):
        engines = [job[0] for job in results if job[1:] == (rows, columns, threads)]
        engines.sort(key=lambda engine: -median(results, (engine, rows, columns, threads), "rows_cpu_s"))
        print(f"\n{rows:,} rows x {columns} columns, {threads} thread{'s' * (threads > 1)}\n")
        print("| engine | fit ms (CPU) | fit ms | M rows/s (CPU) | M rows/s | one row us, p50 | p99 |")
        print("|---|---|---|---|---|---|---|")
        for engine in engines:
            of = lambda key, scale: show(median(results, (engine, rows, columns, threads), key), scale)
            cells = [of("fit_cpu_s", 1e3), of("fit_s", 1e3), of("rows_cpu_s", 1e-6), of("rows_s", 1e-6)]
            print("|", " | ".join([engine, *cells, of("p50_us", 1), of("p99_us", 1)]), "|")


def growth(folder):
    """Print how the time per row grows with trees, columns and sample size. 1.0 in the last column is linear
    growth."""
    print("\nGrowth (8 columns, 100 trees, 256 samples where nothing else is said; one thread)\n")
    print("| | score ns a row | fit ms | score, to the straight line |")
    print("|---|---|---|---|")
    series = [
        ("trees", [(100_000, 8, (trees, 256), trees) for trees in (10, 100, 1000)]),
        ("columns", [(rows, c, (100, 256), c) for rows, c in ((100_000, 1), (100_000, 8), (20_000, 64), (20_000, 512))]),
        ("sampleSize", [(100_000, 8, (100, size), size) for size in (256, 1024, 4096)]),
    ]
    for name, points in series:
        first = None
        for rows, columns, extra, size in points:
            result = measure(folder, OUR, rows, columns, 1, extra)
            nanoseconds = 1e9 / result["rows_cpu_s"]
            first = first or (size, nanoseconds)
            line = nanoseconds / first[1] / (size / first[0])
            print(f"| {name} {size} | {nanoseconds:,.1f} | {result['fit_cpu_s'] * 1e3:,.2f} | {line:.2f} |")


def figures(results):
    def best(key, shape, highest):
        values = {job[0]: median(results, job, key) for job in results if job[1:] == shape and job[0] not in OURS}
        values = {engine: value for engine, value in values.items() if value is not None}
        return (max if highest else min)(values.values())

    def score(columns, engine=OUR):
        shape = (100_000, columns, 1)
        return median(results, (engine, *shape), "rows_cpu_s") / best("rows_cpu_s", shape, True)

    def fit(rows, columns):
        shape = (rows, columns, 1)
        return best("fit_cpu_s", shape, False) / median(results, (OUR, *shape), "fit_cpu_s")

    def fastest(threads):
        return max(result["rows_s"] for result in results[OUR, 100_000, 8, threads])

    values = {
        "score_8col": f"{score(8):.1f}",
        "score_32col": f"{score(32):.1f}",
        "score_1col": f"{score(1):.0f}",
        "two_cores": f"{fastest(2) / fastest(1):.2f}",
        "row_8col_us": f"{median(results, (OUR, 100_000, 8, 1), 'p50_us'):.2f}",
        "row_1col_ns": f"{median(results, (OUR, 100_000, 1, 1), 'p50_us') * 1e3:.0f}",
        "fit_100k": f"{min(fit(100_000, columns) for columns in (1, 8, 32)):.2f}",
        "fit_1m": f"{fit(*MILLION):.2f}",
        "score_8col_portable": f"{score(8, f'{OUR}, portable'):.1f}",
    }
    return "figures: " + " ".join(f"{name}={value}" for name, value in values.items())


def main(folder, repetitions):
    before = os.getloadavg()[0]
    results = session(folder, repetitions)
    table(results)
    growth(folder)
    ours = (OUR, 100_000, 8, 1)
    notes = [("artifact KiB", "size_kib"), ("opened and verified in ms", "load_ms"), ("first score ms", "first_score_ms")]
    notes.append(("100,000 rows parsed from f64 in ms", "parse_ms"))
    print("\nOurs, 8 columns:", ", ".join(f"{name} {show(median(results, ours, key))}" for name, key in notes))
    print(f"\nLoad average {before:.1f} before, {os.getloadavg()[0]:.1f} after; {os.cpu_count()} processors\n")
    print(figures(results))


main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
