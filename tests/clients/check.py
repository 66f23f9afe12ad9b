"""A built detector in; predictions through each third-party client, and whether they agree, out.

    check.py DETECTOR

CASES is the least number of requests that schemathesis makes (default 2,000). Its answers, and those that are
provoked here, must have every status that the OpenAPI document names. Everything listens on loopback.
"""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import requests
import tritonclient.http as triton
from backports import zstd
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from running import detector
from statuses import LOADING, NOT_PROVOKED, PUSHED, Seen, documented, provoke, provoke_waiting

HERE = Path(__file__).resolve().parent
NAME = "boiler"
NORMAL, ANOMALOUS = [5.0, -3.0], [5.0, 60.0]
ROWS = numpy.array([NORMAL, ANOMALOUS] * 5000)
LABELS = [0, 1] * 5000


def same(got, expected, what):
    if list(got) != list(expected):
        sys.exit(f"tests/clients: {what}: expected {str(expected)[:200]}, got {str(got)[:200]}")


def close(got, expected, what):
    """The detector's level follows its readings, so that scores of the same row differ a little between requests."""
    if not numpy.allclose(got, expected, atol=0.02):
        sys.exit(f"tests/clients: {what}: expected about {str(expected)[:200]}, got {str(got)[:200]}")


def by_requests(address):
    """The native routes, with a Session's defaults: keep-alive and gzipped answers."""
    with requests.Session() as session:
        url = f"http://{address}"

        def post(path, **more):
            answer = session.post(url + path, timeout=30, **more)
            answer.raise_for_status()
            return answer

        same(post("/predict", json={"values": {"pressure": "5", "flow": -3}}).json().values(), [0], "values")
        rows = {"instances": [dict(zip(("pressure", "flow"), row)) for row in (NORMAL, ANOMALOUS)]}
        same(post("/predict", json=rows).json()["predictions"], [{"anomaly": 0}, {"anomaly": 1}], "rows by name")
        lines = "\n".join(map(json.dumps, ROWS.tolist()))
        answer = post("/predict", data=lines, headers={"Content-Type": "application/x-ndjson"})
        same([json.loads(line)["anomaly"] for line in answer.iter_lines()], LABELS, "lines")
        packed = gzip.compress(json.dumps({"instances": ROWS.tolist()}).encode())
        answer = post("/predict", data=packed, headers={"Content-Encoding": "gzip"})
        same([each["anomaly"] for each in answer.json()["predictions"]], LABELS, "a gzipped body")
        packed = zstd.compress(json.dumps({"instances": ROWS.tolist()}).encode())
        answer = post("/predict", data=packed, headers={"Content-Encoding": "zstd"})
        same([each["anomaly"] for each in answer.json()["predictions"]], LABELS, "a body by zstd")
        plain = session.get(url + "/openapi.json", headers={"Accept-Encoding": "identity"}, timeout=30)
        answer = session.get(url + "/openapi.json", headers={"Accept-Encoding": "zstd"}, timeout=30)
        same([answer.headers["Content-Encoding"], answer.json()], ["zstd", plain.json()], "an answer by zstd")
        refused = session.post(url + "/predict", json={"value": 1}, timeout=30)
        same([refused.status_code], [422], "a value for two sensors")


async def by_kserve(address):
    """Both versions of the protocol, by the SDK's client."""
    url = f"http://{address}"
    for protocol in ("v1", "v2"):
        client = InferenceRESTClient(RESTConfig(protocol=protocol, timeout=30))
        same([await client.is_model_ready(url, NAME)], [True], f"{protocol}: ready")
        if protocol == "v1":
            answer = await client.infer(url, {"instances": [NORMAL, ANOMALOUS]}, model_name=NAME)
            same(answer["predictions"], [1, -1], "v1: labels")
            answer = await client.explain(url, NAME, {"instances": [NORMAL, ANOMALOUS]})
            same([each["anomaly"] for each in answer["explanations"]], [0, 1], "v1: explanations")
            continue
        same([await client.is_server_live(url), await client.is_server_ready(url)], [True, True], "v2: health")
        for binary in (False, True):
            tensor = InferInput("input", list(ROWS.shape), "FP64")
            tensor.set_data_from_numpy(ROWS, binary_data=binary)
            answer = await client.infer(url, InferRequest(NAME, [tensor], request_id="a7"), NAME)
            same([answer.id, answer.model_name], ["a7", NAME], "v2: id and name")
            outputs = {output.name: output.as_numpy() for output in answer.outputs}
            same(outputs["is_outlier"].tolist(), LABELS, f"v2: outliers, binary={binary}")


def by_triton(address):
    """Tensors of every type, binary and as JSON, compressed and not."""
    with triton.InferenceServerClient(address) as client:
        health = [client.is_server_live(), client.is_server_ready(), client.is_model_ready(NAME)]
        same(health, [True, True, True], "Triton: health")
        same(client.get_server_metadata()["extensions"], ["binary_tensor_data"], "Triton: extensions")
        metadata = client.get_model_metadata(NAME)
        same(metadata["inputs"][0]["shape"], [-1, 2], "Triton: the input's shape")
        version = metadata["versions"][0]

        def infer(rows, datatype, *, binary=True, outputs=None, **more):
            tensor = triton.InferInput("input", list(rows.shape), datatype)
            tensor.set_data_from_numpy(rows, binary_data=binary)
            return client.infer(NAME, [tensor], outputs=outputs, **more)

        for datatype, dtype in {
            "FP64": numpy.float64, "FP32": numpy.float32, "INT8": numpy.int8, "INT16": numpy.int16, "INT32": numpy.int32, "INT64": numpy.int64,
        }.items():
            for binary in (True, False):
                answer = infer(ROWS.astype(dtype), datatype, binary=binary, request_id="b8", model_version=version)
                same(answer.as_numpy("is_outlier"), LABELS, f"Triton: {datatype}, binary={binary}")
                same([answer.get_response()["id"]], ["b8"], "Triton: the id")
        for datatype, dtype in {"UINT8": numpy.uint8, "UINT16": numpy.uint16, "UINT32": numpy.uint32, "UINT64": numpy.uint64}.items():
            answer = infer(numpy.array([[5, 200]], dtype), datatype)
            same(answer.as_numpy("is_outlier"), [1], f"Triton: {datatype}")
        texts = numpy.array([[b"5", b"-3"], [b"5", b"60"]], dtype=object)
        same(infer(texts, "BYTES").as_numpy("is_outlier"), [0, 1], "Triton: BYTES")
        wanted = [triton.InferRequestedOutput("severity"), triton.InferRequestedOutput("predict", binary_data=False)]
        answer = infer(ROWS, "FP64", outputs=wanted)
        same(answer.as_numpy("predict"), [1, -1] * 5000, "Triton: labels beside a binary output")
        same(answer.as_numpy("severity") > 1, [False, True] * 5000, "Triton: severities")
        scores = infer(ROWS, "FP64").as_numpy("instance_score")
        for algorithm in ("gzip", "deflate"):
            answer = infer(ROWS, "FP64", request_compression_algorithm=algorithm, response_compression_algorithm=algorithm)
            close(answer.as_numpy("instance_score"), scores, f"Triton: {algorithm}")
        columns = []
        for index, name in enumerate(metadata["parameters"]["columns"]):
            columns.append(triton.InferInput(name, [len(ROWS), 1], "FP64"))
            columns[-1].set_data_from_numpy(ROWS[:, [index]])
        close(client.infer(NAME, columns).as_numpy("instance_score"), scores, "Triton: a tensor a column")


def by_schemathesis(address):
    """Valid and invalid requests to every route of the OpenAPI document, except streams and protobuf: the
    answers must be as it describes. Returns the statuses."""
    command = [Path(sys.executable).absolute().parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run"]
    most = os.environ.get("CASES", "2000")
    # Examples for each of the twenty operations, besides the requests that are always made.
    examples = max(20, int(most) // 20)
    command += [f"http://{address}/openapi.json", "--max-examples", str(examples), "--request-timeout", "10"]
    # A stream has no end, and no generator knows protobuf.
    command += ["--exclude-path", "/verdicts/stream", "--exclude-path", "/api/v1/write", "--no-color", "--warnings", "off"]
    with tempfile.TemporaryDirectory() as folder:  # it writes files to the folder that it runs in
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "STATUSES": str(Path(folder) / "statuses")}
        done = subprocess.run(command, cwd=folder, env=environment)
        seen = Seen(Path(environment["STATUSES"]).read_text().splitlines())
    if done.returncode != 0:
        sys.exit("tests/clients: schemathesis found answers that the OpenAPI document does not describe")
    return seen


def every_status(program, address, seen):
    """Provoke the answers that no generator finds; check that every status of the document was answered, and
    no other."""
    openapi = requests.get(f"http://{address}/openapi.json", timeout=10).json()
    version = requests.get(f"http://{address}/v2/models/{NAME}", timeout=10).json()["versions"][0]
    provoke(seen, openapi, address, version)
    for manifest in (PUSHED, LOADING):
        with detector(program, manifest, once="/livez") as (waiting, _):
            provoke_waiting(seen, openapi, waiting)
            provoke(seen, openapi, waiting, "000000000000")
    missing = sorted(set(documented(openapi)) - seen.all - NOT_PROVOKED)
    unknown = sorted(each for each in seen.all - set(documented(openapi)) if each[2] != 405)
    if missing or unknown:
        sys.exit(f"tests/clients: documented and never answered: {missing}; answered and not documented: {unknown}")
    print(f"statuses: {len(set(documented(openapi)) & seen.all)} of the documented ones answered, {len(NOT_PROVOKED)} not provoked", flush=True)


def main(program):
    with detector(program) as (predict, _):
        by_requests(predict)
        asyncio.run(by_kserve(predict))
        by_triton(predict)
        print("requests, kserve and tritonclient: every prediction as expected", flush=True)
        every_status(program, predict, by_schemathesis(predict))


main(*sys.argv[1:])
