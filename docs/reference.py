#!/usr/bin/env python3
"""The code in, docs/reference/ out: every field, metric, route and command of both programs.

    docs/reference.py DETECTOR OPERATOR

The arguments are the built programs. Exits with 1 if a page is out of date; UPDATE=1 rewrites the pages.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs/reference"
NOTE = "Generated from {} by `UPDATE=1 tests/reference`; do not edit.\n"
#: How the pattern of a duration starts in the schema (`crd::duration`).
DURATION = "^([0-9]{1,9}"
#: Fields whose subfields are Kubernetes' own and are not listed.
KUBERNETES = re.compile(
    r"^spec\.pod\.(affinity|tolerations\[\]|topologySpreadConstraints\[\])$|^status\.conditions\[\]$"
)


def cell(text):
    """Text as one cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def json_like(value):
    """A default as a person writes it in a manifest."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {json_like(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_like, value)) + "]"
    return str(value)


def kind(schema):
    """The type of a field, with its allowed values or its range."""
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    if schema.get("pattern", "").startswith(DURATION):
        return "duration"
    name = schema.get("type", "object")
    if name == "array":
        name = f"list of {schema['items'].get('type', 'object')}s"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        name += f", {low:g} to {high:g}"
    elif low is not None:
        name += f", at least {low:g}"
    elif high is not None:
        name += f", at most {high:g}"
    for key, words in {"minItems": "at least {} items", "maxItems": "at most {} items", "maxLength": "at most {} characters"}.items():
        if key in schema:
            name += ", " + words.format(schema[key])
    if "pattern" in schema:
        name += f", `{schema['pattern']}`"
    return name


def rows(path, schema, required):
    """Yield a table row for the field and for every field below it."""
    default = f"`{json_like(schema['default'])}`" if "default" in schema else "required" if required else ""
    text = [schema.get("description", "")]
    text += [f"Rule: {rule['message']}." for rule in schema.get("x-kubernetes-validations", []) if "message" in rule]
    yield f"| `{path}` | {cell(kind(schema))} | {cell(default)} | {cell(' '.join(filter(None, text)))} |"
    if schema.get("type") == "array":
        path, schema = path + "[]", schema["items"]
    if KUBERNETES.match(path):
        return
    if isinstance(schema.get("additionalProperties"), dict):
        yield from rows(path + ".*", schema["additionalProperties"], False) if "properties" in schema["additionalProperties"] else ()
    for name, field in schema.get("properties", {}).items():
        yield from rows(f"{path}.{name}", field, name in schema.get("required", []))


def fields():
    version = yaml.safe_load((ROOT / "crd/anomalydetectors.yaml").read_text())["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    page = f"# Fields of an AnomalyDetector\n\n{NOTE.format('`crd/anomalydetectors.yaml`')}\n"
    page += f"`apiVersion: anomaly.dev/{version['name']}`, `kind: AnomalyDetector`. `kubectl explain ad.spec` prints the same texts.\n"
    for part in ("spec", "status"):
        page += f"\n## {part}\n\n| field | type and range | default | meaning |\n|---|---|---|---|\n"
        for name, field in schema[part]["properties"].items():
            page += "\n".join(rows(f"{part}.{name}", field, name in schema[part].get("required", []))) + "\n"
        for rule in schema[part].get("x-kubernetes-validations", []):
            page += f"\nRule: {rule['message']}.\n" if "message" in rule else ""
    return page


METRIC = re.compile(
    r'([\w:]+)\(\s*(?:Opts::new\(\s*)?"(anomaly_\w+)",\s*"((?:[^"\\]|\\.)*)",?\s*\)?,?\s*(?:&\[([^\]]*)\])?'
)
TYPES = {"gauge": "gauge", "counter": "counter", "histogram": "histogram"}


def metrics():
    page = f"# Metrics\n\n{NOTE.format('the code')}\nA detector's metrics carry the label `detector` beside those of the table.\n"
    for title, path in {"A detector": "detector/src/serving/metrics/*.rs", "The operator": "operator/src/telemetry/metrics.rs"}.items():
        code = "\n".join(file.read_text() for file in sorted(ROOT.glob(path)))
        found = METRIC.findall(code)
        missing = set(re.findall(r'"(anomaly_\w+)"', code)) - {name for _, name, _, _ in found}
        if missing:
            sys.exit(f"docs/reference.py: no help found for {', '.join(sorted(missing))} in {path}")
        page += f"\n## {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
        for maker, name, help_text, labels in sorted(found, key=lambda metric: metric[1]):
            sort = next(word for key, word in TYPES.items() if key in maker.lower())
            labels = ", ".join(f"`{label}`" for label in re.findall(r'"(\w+)"', labels))
            page += f"| `{name}` | {sort} | {labels} | {cell(help_text)} |\n"
    return page


ROUTE = re.compile(r'(?:(post_route|get_route)\("(/[^"]*)"|resource\("(/[^"]*)"\)\s*\.route\((get|post)\()')
METHODS = {"post_route": "POST", "get_route": "GET", "post": "POST", "get": "GET"}


def routes():
    """The page of routes: each with the comment "`METHOD /path`: ..." at its handler."""
    page = f"# HTTP routes\n\n{NOTE.format('the code')}"
    for title, folder in {"A detector": "detector/src/serving", "The operator": "operator/src/serving"}.items():
        code = "\n".join(path.read_text() for path in sorted((ROOT / folder).rglob("*.rs")) if path.name != "tests.rs")
        page += f"\n## {title}\n\n| route | answer |\n|---|---|\n"
        found = ROUTE.findall(code)
        if not found:
            sys.exit(f"docs/reference.py: no routes found below {folder}")
        for kind, of_kind, path, method in found:
            route = f"{METHODS[kind or method]} {of_kind or path}"
            comment = re.search(rf"//[/!] `{re.escape(route)}`: (.*(?:\n\s*//[/!] \S.*)*)", code)
            if not comment:
                sys.exit(f"docs/reference.py: {folder} has no comment that begins with `{route}`:")
            text = re.sub(r"\s*\n\s*//[/!] ", " ", comment[1])
            page += f"| `{route}` | {cell(text)} |\n"
    return page


def commands(programs):
    page = f"# Commands\n\n{NOTE.format('the programs')}"
    for program in programs:
        name = Path(program).name

        def help_of(*words, program=program):
            done = subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True)
            return "\n".join(line.rstrip() for line in done.stdout.splitlines())

        overview = help_of()
        page += f"\n## {name}\n\n```text\n{overview}\n```\n"
        listed = overview.split("Commands:\n")[1].split("\n\n")[0]
        for command in re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE):
            if command != "help":
                page += f"\n### {name} {command}\n\n```text\n{help_of(command)}\n```\n"
    return page


def main(programs):
    pages = {"fields": fields(), "metrics": metrics(), "routes": routes()}
    if programs:
        pages["commands"] = commands(programs)
    stale = []
    for name, text in pages.items():
        page = PAGES / f"{name}.md"
        if os.environ.get("UPDATE"):
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            stale.append(str(page.relative_to(ROOT)))
    if stale:
        sys.exit(f"docs/reference.py: not current: {', '.join(stale)}; UPDATE=1 tests/reference rewrites them")
    print(f"{len(pages)} pages of docs/reference are current")


main(sys.argv[1:])
