#!/usr/bin/env python3
"""Writes the JSON schemas of Kubernetes' kinds, and of the Prometheus Operator's, to a folder, so that
kubeconform needs no network.

    schemas.py FOLDER

The schemas come from the Python package kubernetes-validate, in their strict form: an unknown field is an
error. They refer to each other by URLs that no server has; here by file names. There is one folder for each
minor version of Kubernetes.
"""

import json
import subprocess
import sys
from pathlib import Path

MINORS = ["1.33", "1.37"]  # the oldest that the chart is for, and the newest there is
PACKAGE = "kubernetes-validate==1.37.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"


def install(folder):
    """Install the Python packages, PyYAML included, into a folder of their own."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    subprocess.run([*pip, "--target", folder, PACKAGE], check=True)


def localise(schema):
    """The schema with references by file name, and without the `$id` that they would be resolved against."""
    schema.pop("$id", None)
    text = json.dumps(schema)
    return text.replace('"/api/_definitions.json#', '"_definitions.json#')


def closed(schema):
    """A CRD's schema in which an unknown field is an error, as the API server would prune it."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    return schema


def monitoring(plural):
    """The schema of a kind of the Prometheus Operator's, from the Go module that defines it."""
    module = subprocess.run(["go", "mod", "download", "-json", PROMETHEUS_OPERATOR], check=True, capture_output=True)
    crd = Path(json.loads(module.stdout)["Dir"], f"jsonnet/prometheus-operator/{plural}-crd.json")
    schema = json.loads(crd.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"$ref": "_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    return json.dumps(closed(schema))


def main(folder):
    packages = folder / "python"
    if not packages.is_dir():
        install(packages)
    for minor in MINORS:
        target = folder / minor
        if all((target / name).exists() for name in ("complete", "prometheusrule-monitoring-v1.json")):
            continue
        target.mkdir(exist_ok=True)
        for source in (packages / f"kubernetes_validate/kubernetes-json-schema/v{minor}.0-local-strict").glob("*.json"):
            (target / source.name).write_text(localise(json.loads(source.read_text())))
        for kind in ("servicemonitor", "prometheusrule"):
            (target / f"{kind}-monitoring-v1.json").write_text(monitoring(f"{kind}s"))
        (target / "complete").touch()


main(Path(sys.argv[1]))
