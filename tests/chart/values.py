#!/usr/bin/env python3
"""Proves that no value of the chart is dead, undocumented or untyped.

    values.py HELM

Each value of values.yaml is set in everything.yaml or nothing.yaml beside this file, and removing it
changes what the chart renders. Each is in the schema, and the schema has no others. HELM is the program.
"""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import yaml

HERE = Path(__file__).parent
CHART = HERE.parent.parent / "charts/anomaly-operator"
TWO = {"replicas": 2, "leaderElection": {"enabled": True}}
NEEDS = {  # other values without which the value has no effect
    "podDisruptionBudget.enabled": TWO,
    "podDisruptionBudget.minAvailable": {**TWO, "podDisruptionBudget": {"enabled": True}},
}
UNREAD = set()


def leaves(schema, path=()):
    """The paths of the values: a closed object is a group, anything else a value."""
    for name, value in schema["properties"].items():
        if "$ref" in value:
            value = DEFINITIONS[value["$ref"].rsplit("/", 1)[1]]
        if "properties" in value and (*path, name) != ("resources",):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name)


def has(values, path):
    for name in path:
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True


def without(values, path):
    name, *rest = path
    if rest:
        return {**values, name: without(values[name], rest)}
    return {key: value for key, value in values.items() if key != name}


def merged(base, over):
    for name, value in over.items():
        base = {**base, name: merged(base.get(name, {}), value) if isinstance(value, dict) else value}
    return base


@cache
def render(text):
    """Render the chart with these values, in JSON: (True, the manifests) or (False, Helm's error)."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        command = [HELM, "template", "x", CHART, "--namespace", "plant", "--kube-version", "1.37", "--values", file.name]
        done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0, done.stdout or done.stderr


def verdict(path, examples):
    """What is wrong with a value, or None."""
    name = ".".join(path)
    if not has(DEFAULTS, path):
        return f"{name} is in the schema, but not in values.yaml"
    if path in UNREAD:
        return None
    sets = [merged(example, NEEDS.get(name, {})) for example in examples if has(example, path)]
    if not sets:
        return f"{name} is in neither everything.yaml nor nothing.yaml"
    for values in sets:
        accepted, rendered = render(json.dumps(values))
        if not accepted:
            return f"{name}: {rendered}"
        if (accepted, rendered) != render(json.dumps(without(values, path))):
            return None
    return f"{name} changes nothing in what is rendered"


HELM = sys.argv[1]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFINITIONS = SCHEMA["definitions"]
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
examples = [yaml.safe_load((HERE / name).read_text()) for name in ("everything.yaml", "nothing.yaml")]
paths = list(leaves(SCHEMA))
with ThreadPoolExecutor(4) as pool:
    wrong = [text for text in pool.map(lambda path: verdict(path, examples), paths) if text]
for text in wrong:
    print(f"tests/chart/values.py: {text}", file=sys.stderr)
print(f"{len(paths)} values, {len(wrong)} wrong")
sys.exit(bool(wrong))
