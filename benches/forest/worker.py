"""Times one Python engine in a process of its own, and prints one line of JSON.

    python worker.py ENGINE FILE.f64 TRAIN SCORE COLUMNS THREADS FOLDER

100 trees of 256 rows, axis-parallel splits. A fit is the median of five, a batch the best of three, a row the
median of many. Conversions of scikit-learn's forest (tl2cgen, treelite, ONNX) are cached in FOLDER, since
some take seconds to compile.
"""
import json
import pathlib
import sys
import time

import numpy

TREES, SAMPLE_SIZE = 100, 256


class SkLearn:
    def __init__(self, threads):
        self.threads = threads

    def fit(self, rows):
        from sklearn.ensemble import IsolationForest

        return IsolationForest(n_estimators=TREES, max_samples=SAMPLE_SIZE, random_state=1, n_jobs=self.threads).fit(rows)

    def score(self, model, rows):
        return model.score_samples(rows)


class Isotree(SkLearn):
    def fit(self, rows):
        from isotree import IsolationForest

        options = dict(ntrees=TREES, sample_size=SAMPLE_SIZE, ndim=1, missing_action="fail", random_seed=1)
        return IsolationForest(nthreads=self.threads, **options).fit(rows)

    def score(self, model, rows):
        return model.predict(rows)


class Coniferest(SkLearn):
    def fit(self, rows):
        from coniferest.isoforest import IsolationForest

        return IsolationForest(n_trees=TREES, n_subsamples=SAMPLE_SIZE, n_jobs=self.threads, random_seed=1).fit(rows)


class Converted(SkLearn):
    """A conversion of scikit-learn's forest, made once and cached in a file."""

    def __init__(self, threads, path):
        super().__init__(threads)
        self.path = path

    def fit(self, rows):
        if not self.path.exists():
            self.convert(super().fit(rows), rows.shape[1])
        return self.open()


class Treelite(Converted):
    def convert(self, model, columns):
        import treelite

        treelite.sklearn.import_model(model).serialize(str(self.path))

    def open(self):
        import treelite

        return treelite.Model.deserialize(str(self.path))

    def score(self, model, rows):
        import treelite

        return treelite.gtil.predict(model, rows, nthread=self.threads)


class Tl2cgen(Converted):
    def convert(self, model, columns):
        import tl2cgen
        import treelite

        model = treelite.sklearn.import_model(model)
        tl2cgen.export_lib(model, toolchain="gcc", libpath=str(self.path), params={}, verbose=False)

    def open(self):
        import tl2cgen

        return tl2cgen.Predictor(str(self.path), nthread=self.threads)

    def score(self, model, rows):
        import tl2cgen

        return model.predict(tl2cgen.DMatrix(rows))


class Onnx(Converted):
    def convert(self, model, columns):
        from skl2onnx import to_onnx

        kind = numpy.zeros((1, columns), numpy.float32)
        self.path.write_bytes(to_onnx(model, kind, target_opset={"": 15, "ai.onnx.ml": 3}).SerializeToString())

    def open(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        return onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])

    def score(self, model, rows):
        return model.run(["scores"], {"X": rows.astype(numpy.float32)})[0]


def engine(name, threads, folder, columns):
    converted = {"tl2cgen": (Tl2cgen, "so"), "treelite": (Treelite, "treelite"), "onnxruntime": (Onnx, "onnx")}
    if name in converted:
        kind, suffix = converted[name]
        return kind(threads, pathlib.Path(folder) / f"{columns}-columns.{suffix}")
    return {"scikit-learn": SkLearn, "isotree": Isotree, "coniferest": Coniferest}[name](threads)


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def latencies(score, rows):
    """The seconds of each single-row call, ascending. Calls are made for 1.5 s, 4,000 at most."""
    seconds, end = [], time.perf_counter() + 1.5
    while time.perf_counter() < end and len(seconds) < 4000:
        row = rows[len(seconds) % len(rows)][None, :]
        seconds.append(timed(lambda: score(row))[1])
    return sorted(seconds)


def main(name, path, train, score, columns, threads, folder):
    train, score, columns, threads = int(train), int(score), int(columns), int(threads)
    rows = numpy.fromfile(path, "<f8", max(train, score) * columns).reshape(-1, columns)
    subject = engine(name, threads, folder, columns)
    result = {}
    if isinstance(subject, Converted):
        model = subject.fit(rows[:train])
    else:
        fits = sorted((timed(lambda: subject.fit(rows[:train])) for _ in range(5)), key=lambda fit: fit[2])
        model, result["fit_s"], result["fit_cpu_s"] = fits[2]
    batches = [timed(lambda: subject.score(model, rows[:score])) for _ in range(3)]
    assert all(numpy.isfinite(numpy.asarray(scores, float)).all() for scores, _, _ in batches)
    assert len(numpy.asarray(batches[0][0]).reshape(-1)) == score
    result["rows_s"] = score / min(wall for _, wall, _ in batches)
    result["rows_cpu_s"] = score / min(cpu for _, _, cpu in batches)
    calls = latencies(lambda row: subject.score(model, row), rows)
    result["p50_us"], result["p99_us"] = calls[len(calls) // 2] * 1e6, calls[len(calls) * 99 // 100] * 1e6
    print(json.dumps(result))


main(*sys.argv[1:])
