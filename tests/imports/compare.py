"""Compares the scores that `convert` computes with the models in a folder with those of scikit-learn.

    compare.py CONVERT FOLDER [--onnxruntime]

With --onnxruntime it also opens the files that `convert` exports, with ONNX Runtime and with scikit-learn,
and compares their scores. The ONNX file of a pipeline is compared with the scores of ONNX Runtime, which
computes the steps in single precision. The last line has the counts.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import warnings

import numpy

TOLERANCE = 1e-12
# ONNX Runtime adds up the scores of a model by skl2onnx in single precision.
SINGLE = 1e-5


def refuse(rule, file, got):
    if not rule:
        sys.exit(f"{file}: {got}")


def convert(program, model, rows, onnx):
    command = [program, model] + [onnx] * (onnx is not None)
    answer = subprocess.run(command, input=json.dumps(rows), capture_output=True, text=True)
    refuse(answer.returncode == 0, model, answer.stderr)
    return json.loads(answer.stdout)


def check_steps_of_onnx(model, expected, answer):
    """Compare with ONNX Runtime within single precision. A row on the other side of a split would differ by
    far more."""
    difference = numpy.abs(numpy.subtract(answer["scores"], expected["onnx_scores"])).max()
    refuse(difference <= SINGLE, model, f"scores differ from ONNX Runtime's by {difference}")
    wrong = numpy.not_equal(answer["anomalies"], expected["onnx_anomalies"])
    wrong &= numpy.abs(numpy.subtract(answer["scores"], answer["threshold"])) > SINGLE
    refuse(not wrong.any(), model, f"predictions differ from ONNX Runtime's in rows {numpy.flatnonzero(wrong)}")


def check_import(model, expected, answer):
    difference = numpy.abs(numpy.subtract(answer["scores"], expected["scores"])).max()
    refuse(difference <= TOLERANCE, model, f"scores differ by {difference}")
    wrong = numpy.flatnonzero(numpy.not_equal(answer["anomalies"], expected["anomalies"]))
    refuse(wrong.size == 0, model, f"predictions differ in rows {wrong}")
    if model.suffix != ".onnx":
        refuse(answer["columns"] == expected["columns"], model, f"columns are {answer['columns']}")
        refuse(answer["origin"] == f"scikit-learn {expected['version']}", model, answer["origin"])
        warned = [warning for warning in answer["warnings"] if "trained with missing values" in warning]
        # Before 1.9 a file does not show whether the forest was trained with missing values.
        holed = "holed_scores" in expected
        version = tuple(int(part) for part in expected["version"].split(".")[:2])
        refuse(holed if warned else not holed or version < (1, 9), model, f"warnings are {answer['warnings']}")
    return difference


def check_holes(program, model, expected):
    """How much rows with missing cells score differently from scikit-learn, which the warning announces: the
    greatest difference, and the rank correlation."""
    answer = convert(program, model, expected["holed_rows"], None)
    scores = numpy.array(answer["scores"]), numpy.array(expected["holed_scores"])
    whole = [None not in row for row in expected["holed_rows"]]
    refuse(numpy.abs(scores[0] - scores[1])[whole].max() <= TOLERANCE, model, "rows without missing cells score otherwise")
    ranks = [score.argsort().argsort() for score in scores]
    return numpy.abs(scores[0] - scores[1]).max(), numpy.corrcoef(*ranks)[0, 1]


def check_export(model, exported, expected, answer):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    cells = numpy.array(expected["rows"], dtype=numpy.float32)
    score, anomaly = session.run(["score", "anomaly"], {"input": cells})
    difference = numpy.abs(score[:, 0] - answer["scores"]).max()
    refuse(difference <= TOLERANCE, model, f"ONNX Runtime's scores differ by {difference}")
    wrong = numpy.flatnonzero(anomaly[:, 0] != expected["anomalies"])
    refuse(wrong.size == 0, model, f"ONNX Runtime's predictions differ in rows {wrong}")
    return difference


def check_skops(model, exported, expected):
    """Open the file that `convert` exports for scikit-learn there, and compare scores and predictions."""
    import skops.io

    forest = skops.io.load(exported, trusted=skops.io.get_untrusted_types(file=exported))
    cells = numpy.array(expected["rows"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows without names for a model with names
        difference = numpy.abs(forest.score_samples(cells) + expected["scores"]).max()
        wrong = numpy.flatnonzero((forest.predict(cells) == -1) != numpy.array(expected["anomalies"]))
    refuse(difference <= TOLERANCE, model, f"scikit-learn's scores of the export differ by {difference}")
    refuse(wrong.size == 0, model, f"scikit-learn's predictions of the export differ in rows {wrong}")


def is_new(exported, opened):
    """Whether an export was not opened yet: all formats of a model have the same export, byte for byte."""
    digest = hashlib.sha256(pathlib.Path(exported).read_bytes()).digest()
    return not (digest in opened or opened.add(digest))


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with_onnxruntime = "--onnxruntime" in sys.argv
    imports, exports, holes, opened = [], [], [], set()
    models = sorted(path for path in folder.iterdir() if path.suffix != ".json")
    for model in models:
        expected = json.loads((folder / model.name.split(".")[0]).with_suffix(".json").read_text())
        exported = f"{model}.exported" if with_onnxruntime else None
        answer = convert(program, model, expected["rows"], exported)
        if model.suffix == ".onnx" and "onnx_scores" in expected:
            check_steps_of_onnx(model, expected, answer)
            continue
        imports.append(check_import(model, expected, answer))
        if "holed_scores" in expected:
            holes.append(check_holes(program, model, expected))
        if with_onnxruntime and pathlib.Path(exported).exists() and is_new(exported, opened):
            exports.append(check_export(model, exported, expected, answer))
            convert(program, model, expected["rows"], f"{exported}.skops")
            check_skops(model, f"{exported}.skops", expected)
    refuse(models, folder, "there are no models")
    rows = len(expected["rows"])
    print(f"{len(models)} files of {rows} rows agree, scores to {max(imports):.1e}", end="")
    if holes:
        print(f"; with missing cells to {max(holes)[0]:.2f} (rank correlation {min(rank for _, rank in holes):.2f})", end="")
    print(f", and ONNX Runtime and scikit-learn with their {len(exports)} exports, to {max(exports):.1e}" if exports else "")


main()
