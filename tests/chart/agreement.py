#!/usr/bin/env python3
"""Proves that the chart agrees with the rest of the project: its CustomResourceDefinition, version, examples, promises.

    agreement.py HELM

HELM is the program.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

HELM = sys.argv[1]
ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "charts/anomaly-operator"


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def helm(*arguments):
    return subprocess.run([HELM, *arguments], check=True, capture_output=True, text=True).stdout


def rendered_crd():
    """The CRD as the chart renders it, without the labels and annotations that the chart adds."""
    crd = yaml.safe_load(helm("template", "x", CHART, "--kube-version", "1.37", "--show-only", "templates/customresourcedefinition.yaml"))
    del crd["metadata"]["labels"], crd["metadata"]["annotations"]
    return crd


def granted(*values):
    """Every resource, verb and API group that any role of the chart names."""
    rendered = helm("template", "x", CHART, "--kube-version", "1.37", *values)
    roles = [object for object in yaml.safe_load_all(rendered) if object and object["kind"] in ("Role", "ClusterRole")]
    rules = [rule for role in roles for rule in role["rules"]]
    assert len(rules) > 9, "the chart renders its roles"
    return {word.split("/")[0] for rule in rules for key in ("apiGroups", "resources", "verbs") for word in rule[key]}


def notes_example():
    """The manifest that NOTES.txt prints."""
    notes = (CHART / "templates/NOTES.txt").read_text()
    return yaml.safe_load(notes.split("<<'MANIFEST'\n")[1].split("MANIFEST\n")[0])


chart = read("charts/anomaly-operator/Chart.yaml")
version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
images = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
forbidden = {"secrets", "*", "escalate", "bind", "impersonate"}
namespaced = ["--set", "watch.scope=ReleaseNamespace"]
quickstart = read("manifests/quickstart.yaml")
agreements = {
    "the chart's CustomResourceDefinition is crd/anomalydetectors.yaml": (rendered_crd(), read("crd/anomalydetectors.yaml")),
    "version and appVersion are the workspace's": ({chart["version"], chart["appVersion"]}, {version}),
    "the images of Chart.yaml are of that version": ({image["image"].split(":")[1] for image in images}, {version}),
    "the example of Chart.yaml is manifests/quickstart.yaml": (
        yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"]),
        [quickstart],
    ),
    "the example of NOTES.txt is manifests/quickstart.yaml": (notes_example(), quickstart),
    "no role has a verb on Secrets, a wildcard, or a way to more rights": (
        forbidden & (granted() | granted(*namespaced)),
        set(),
    ),
}
broken = [name for name, (ours, theirs) in agreements.items() if ours != theirs]
for name in broken:
    print(f"tests/chart/agreement.py: it is no longer so that {name}", file=sys.stderr)
print(f"{len(agreements)} agreements, {len(broken)} broken")
sys.exit(bool(broken))
