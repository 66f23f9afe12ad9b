"""Good and bad models in an S3 bucket in; whether a built detector loads or refuses them as expected, out."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

DETECTOR = sys.argv[1]
MANIFEST = """\
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: pump}
spec:
  sources: [{name: s, simulated: {sensors: [{name: value, noise: {gaussian: {standardDeviation: 1}}}]}}]
  model: MODEL
"""


def replay(folder, model, *arguments):
    """Run a short replay with this `model` of the spec: (exit code, all output)."""
    (folder / "pump.yaml").write_text(MANIFEST.replace("MODEL", model))
    command = [DETECTOR, "run", "pump.yaml", "--fast", "--duration", "5s", "--credentials", "secret", *arguments]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="key",
                      aws_secret_access_key="secret")
    s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "secret").mkdir()
        (folder / "secret/accessKeyId").write_text("key\n")
        (folder / "secret/secretAccessKey").write_text("secret\n")
        code, said = replay(folder, "{train: {samples: 500}}", "--state", "made")
        assert code == 0, said
        artifact = (folder / "made/model").read_bytes()
        digest = hashlib.sha256(artifact).hexdigest()
        s3.put_object(Bucket="models", Key="plant/pump 1/model", Body=artifact)
        s3.put_object(Bucket="models", Key="short", Body=artifact[:1000])

        def load(key, rest=""):
            place = f"url: 's3://models/{key}', endpoint: '{endpoint}', region: eu-west-1, credentialsSecretRef: {{name: s}}"
            return replay(folder, f"{{load: {{{place}{rest}}}}}")

        code, said = load("plant/pump%201/model", f", sha256: '{digest}'")
        assert code == 0 and f"model sha256:{digest}" in said, said
        for key, rest, sentence in [
            ("absent", "", "s3://models/absent: there is no such key"),
            ("short", "", "a model must be a safetensors file"),
            ("plant/pump%201/model", f", sha256: '{'0' * 64}'", f"the file must have the SHA-256 {'0' * 64}, got {digest}"),
        ]:
            code, said = load(key, rest)
            assert code == 1 and sentence in said, (key, said)
        server.stop()
        code, said = load("plant/pump%201/model")
        assert code == 1 and "Connection refused" in said, said
    print("5 passed, 0 failed")


main()
