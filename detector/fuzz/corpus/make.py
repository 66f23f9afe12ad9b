"""Makes the corpus from the fixtures: each seed as its target takes it. Run in this folder."""

import json
import pathlib
import zipfile

fixtures = pathlib.Path("../../interchange/tests/fixtures")

for name in ["1.0.2/plain.p2.pkl", "1.9.1/lone.p5.pkl", "1.5.2/tied.p2.pkl"]:
    pathlib.Path("pickle", name.replace("/", "-")).write_bytes((fixtures / name).read_bytes()[1:])
for name in ["1.0.2/lone.joblib", "1.9.1/plain.joblib"]:
    pathlib.Path("joblib", name.replace("/", "-")).write_bytes((fixtures / name).read_bytes())
for name in ["1.0.2/columns.joblib", "1.0.2/nested.joblib"]:
    pathlib.Path("joblib", "pipelines-" + name.replace("/", "-")).write_bytes((fixtures / "pipelines" / name).read_bytes())
for name in ["1.9.1/columns.onnx"]:
    pathlib.Path("onnx", "pipelines-" + name.replace("/", "-")).write_bytes((fixtures / "pipelines" / name).read_bytes()[1:])
for compression in ["zlib", "gzip", "bz2", "lzma", "xz", "lz4"]:
    name = f"lone.{compression}.joblib"
    pathlib.Path("joblib", name).write_bytes((fixtures / "1.9.1" / name).read_bytes())
for name in ["1.0.2/plain.onnx", "1.9.1/tied.onnx"]:
    pathlib.Path("onnx", name.replace("/", "-")).write_bytes((fixtures / name).read_bytes()[1:])


def one_tree(node):
    """The attributes that the reader asks for, with the first tree alone."""
    content = node["content"]["content"]
    content["estimators_"]["content"] = content["estimators_"]["content"][:1]
    content["estimators_features_"]["content"] = content["estimators_features_"]["content"][:1]
    return {key: content[key] for key in content if not key.startswith("_") or key in ("_sklearn_version", "_max_samples")}


with zipfile.ZipFile(fixtures / "1.9.1/lone.skops") as archive:
    schema = json.loads(archive.read("schema.json"))
    schema["content"]["content"] = one_tree(schema)
    tree = schema["content"]["content"]["estimators_"]["content"][0]["content"]["content"]["tree_"]
    del tree["content"]["content"]["values"], tree["__reduce__"]
    nodes = tree["content"]["content"]["nodes"]
    array = archive.read(nodes["file"])
    nodes["file"] = "0.npy"
    schema["content"]["content"]["estimators_features_"]["content"][0]["file"] = "1.npy"
    pathlib.Path("skops", "lone").write_bytes(json.dumps(schema, separators=(",", ":")).encode() + b"\0" + array)
