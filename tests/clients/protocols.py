"""A built detector in; predictions over HTTP/2 and gRPC by curl, tritonclient and grpcurl, plain and over TLS
with tokens, and whether they agree, out.

    protocols.py DETECTOR GRPCURL
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc
import numpy
import requests
import tritonclient.grpc as triton
import tritonclient.http as rest
from running import MANIFEST, detector
from loopback import until  # after `running`, which adds its folder to the path
from tritonclient.utils import InferenceServerException

HERE = Path(__file__).resolve().parent
NAME = "boiler"
ROWS = numpy.array([[5.0, -3.0], [5.0, 60.0]] * 5000)
LABELS = [0, 1] * 5000
#: A manifest with scores that do not change over time, so that they can be compared to the bit.
FIXED = MANIFEST + "  adaptation: {policy: Fixed}\n"
TOKEN, OTHER_TOKEN = "a-token-of-the-plant", "another-token-of-the-plant"


def same(got, expected, what):
    if list(got) != list(expected):
        sys.exit(f"tests/clients: {what}: expected {str(expected)[:200]}, got {str(got)[:200]}")


def curl(*arguments):
    """Run curl: the body of the answer, and its HTTP version and status, `VERSION STATUS`."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_version} %{http_code}", *arguments],
        capture_output=True,
        text=True,
    )
    body, _, code = done.stdout.rpartition("\n")
    return body, code


def by_curl(address):
    """The routes over HTTP/2, with bodies larger than its windows."""
    http2 = ("--http2-prior-knowledge", f"http://{address}/predict")
    same(curl(*http2, "--data", '{"values":{"pressure":5,"flow":-3}}'), ['{"anomaly":0}', "2 200"], "HTTP/2")
    with tempfile.NamedTemporaryFile("w") as file:
        json.dump({"instances": ROWS.tolist()}, file)
        file.flush()
        body, code = curl(*http2, "--data-binary", f"@{file.name}")
        same([code], ["2 200"], "HTTP/2: a batch")
        same([each["anomaly"] for each in json.loads(body)["predictions"]], LABELS, "HTTP/2: a batch")
        packed, _ = curl(*http2, "--compressed", "--data-binary", f"@{file.name}")
        same([packed], [body], "HTTP/2: a gzipped answer")
    same([curl("--head", *http2[:1], f"http://{address}/openapi.json")[1]], ["2 200"], "HTTP/2: HEAD")
    same([curl(*http2[:1], f"http://{address}/nowhere")[1]], ["2 404"], "HTTP/2: a wrong path")
    # The server ignores `Upgrade: h2c`: the answer comes over HTTP/1.1.
    same([curl("--http2", f"http://{address}/verdicts")[1]], ["1.1 200"], "an upgrade that is not taken")


def infer(client, rows, datatype, library=triton, **more):
    tensor = library.InferInput("input", list(rows.shape), datatype)
    tensor.set_data_from_numpy(rows)
    return client.infer(NAME, [tensor], **more)


def by_triton(address):
    """Tensors of every type over gRPC; the scores are those of REST to the bit."""
    with triton.InferenceServerClient(address) as client, rest.InferenceServerClient(address) as other:
        health = [client.is_server_live(), client.is_server_ready(), client.is_model_ready(NAME)]
        same(health, [True, True, True], "gRPC: health")
        metadata = client.get_model_metadata(NAME, as_json=True)
        same(metadata["inputs"][0]["shape"], ["-1", "2"], "gRPC: the input's shape")
        same([client.get_server_metadata().name], ["anomaly-operator-detector"], "gRPC: the server")
        version = metadata["versions"][0]
        wanted = ["is_outlier", "instance_score", "threshold", "severity", "predict", "feature_score"]
        by_grpc = infer(
            client, ROWS, "FP64", request_id="a7", model_version=version,
            outputs=[triton.InferRequestedOutput(name) for name in wanted],
        )
        same([by_grpc.get_response().id, by_grpc.get_response().model_version], ["a7", version], "gRPC: id and version")
        by_rest = infer(other, ROWS, "FP64", rest, outputs=[rest.InferRequestedOutput(name) for name in wanted])
        for name in wanted:
            if not numpy.array_equal(by_grpc.as_numpy(name), by_rest.as_numpy(name)):
                sys.exit(f"tests/clients: gRPC: {name} differs from that of REST")
        same(by_grpc.as_numpy("is_outlier"), LABELS, "gRPC: labels")
        for datatype, dtype in {"FP32": "f4", "INT8": "i1", "INT16": "i2", "INT32": "i4", "INT64": "i8"}.items():
            same(infer(client, ROWS.astype(dtype), datatype).as_numpy("is_outlier"), LABELS, f"gRPC: {datatype}")
        texts = numpy.array([[b"5", b"-3"], [b"5", b"60"]], dtype=object)
        same(infer(client, texts, "BYTES").as_numpy("is_outlier"), [0, 1], "gRPC: BYTES")
        packed = infer(client, ROWS, "FP64", compression_algorithm="gzip")
        same(packed.as_numpy("is_outlier"), LABELS, "gRPC: gzip")
        for rows, code in ((numpy.zeros((1, 3)), "INVALID_ARGUMENT"), (numpy.zeros((200_000, 2)), "RESOURCE_EXHAUSTED")):
            same([refusal(lambda: infer(client, rows, "FP64"))], [f"StatusCode.{code}"], "gRPC: what is refused")
        same([refusal(lambda: client.get_model_metadata("other"))], ["StatusCode.NOT_FOUND"], "gRPC: another model")


def refusal(call):
    """The status of a call that is refused."""
    try:
        call()
    except InferenceServerException as error:
        return error.status()
    return "none"


def by_grpcurl(program, address):
    """Typed contents, and the sentence of an error."""
    request = {"name": "input", "datatype": "FP64", "shape": [2, 2], "contents": {"fp64_contents": [5, -3, 5, 60]}}

    def call(name, inputs):
        command = [program, "-plaintext", "-import-path", HERE, "-proto", "inference.proto", "-d"]
        message = json.dumps({"model_name": name, "inputs": inputs})
        done = subprocess.run(
            [*command, message, address, "inference.GRPCInferenceService/ModelInfer"], capture_output=True, text=True
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    answer = call(NAME, [request])
    same(answer["outputs"][0]["contents"]["int64Contents"], ["0", "1"], "grpcurl: labels")
    refused = call("other", [request])
    if "Code: NotFound" not in refused or "no such model: other, expected boiler" not in refused:
        sys.exit(f"tests/clients: grpcurl: expected the sentence of the error, got {refused}")


def authority(folder, name):
    """Make a certificate authority `NAME.ca`, and a server's (`tls`) and a client's certificate of it, with
    OpenSSL."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.ca")
    for each in ("tls", "client"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={each}",
                "-keyout", f"{each}.key", "-out", f"{each}.csr")
        (Path(folder) / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", f"{each}.csr", "-CA", f"{name}.ca", "-CAkey", f"{name}.key", "-days", "2",
                "-extfile", "extensions", "-out", f"{each}.crt")


def secured(program, folder):
    """HTTP/1.1, HTTP/2 and gRPC over TLS, with a certificate and a token, both replaced while the detector
    runs."""
    folder = Path(folder)
    authority(folder, "plant")
    (folder / "tokens").write_text(TOKEN)
    arguments = ["--tls", folder, "--client-ca", folder / "plant.ca", "--tokens", folder / "tokens"]
    with detector(program, FIXED, *arguments) as (predict, metrics):
        pair = [(folder / f"client.{kind}").rename(folder / f"own.{kind}") for kind in ("crt", "key")]

        def ask(token, verify="plant.ca"):
            headers = {"Authorization": f"Bearer {token}"}
            body = {"values": {"pressure": 5, "flow": -3}}
            url = f"https://{predict}/predict"
            return requests.post(url, json=body, headers=headers, verify=str(folder / verify), cert=tuple(map(str, pair)), timeout=30)

        same([ask(TOKEN).json()], [{"anomaly": 0}], "TLS")
        same([ask(OTHER_TOKEN).status_code], [401], "TLS: a wrong token")
        certificates = ["--cacert", folder / "plant.ca", "--cert", pair[0], "--key", pair[1]]
        url, bearer = f"https://{predict}/verdicts", ["--header", f"Authorization: Bearer {TOKEN}"]
        same([curl("--http2", *certificates, *bearer, url)[1]], ["2 200"], "TLS: HTTP/2")
        same([curl("--http1.1", *certificates, *bearer, url)[1]], ["1.1 200"], "TLS: HTTP/1.1")
        same([curl("--http2", *certificates[:2], *bearer, url)[1].split()[1]], ["000"], "TLS: no certificate")
        same([requests.get(f"http://{metrics}/metrics", timeout=30).status_code], [200], "TLS: metrics stay as they are")
        files = [(folder / name).read_bytes() for name in ("plant.ca", "own.key", "own.crt")]
        with triton.InferenceServerClient(predict, ssl=True, creds=grpc.ssl_channel_credentials(*files)) as client:
            headers = {"authorization": f"Bearer {TOKEN}"}
            labels = infer(client, ROWS, "FP64", headers=headers).as_numpy("is_outlier")
            same(labels, LABELS, "TLS: gRPC")
            refused = refusal(lambda: infer(client, ROWS, "FP64"))
            same([refused], ["StatusCode.UNAUTHENTICATED"], "TLS: gRPC without a token")
        (folder / "tokens").write_text(f"{TOKEN}\n{OTHER_TOKEN}\n")
        until(lambda: ask(OTHER_TOKEN).status_code == 200, "the new token")
        authority(folder, "renewed")
        until(lambda: ask(TOKEN, "renewed.ca").status_code == 200, "the new certificate")


def check(program, grpcurl):
    """Run all checks."""
    with detector(program, FIXED) as (predict, _):
        by_curl(predict)
        by_triton(predict)
        by_grpcurl(grpcurl, predict)
    with tempfile.TemporaryDirectory() as folder:
        secured(program, folder)
    print("curl, tritonclient and grpcurl over HTTP/2 and TLS: every prediction as expected", flush=True)


if __name__ == "__main__":
    check(*sys.argv[1:])
