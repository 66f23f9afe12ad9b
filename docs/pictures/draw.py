"""Draws a Grafana dashboard, with the answers of a Prometheus to its queries.

    draw.py PROMETHEUS DASHBOARD PICTURE MINUTES

The panels are at their positions in the dashboard's grid. Stats show the newest value, time series the last
MINUTES; the spans of the annotation `Anomalies` are shaded, as Grafana shades them.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime, timezone

import matplotlib
from PIL import Image

matplotlib.use("Agg")
import matplotlib.dates as dates  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402

PROMETHEUS, DASHBOARD, PICTURE, MINUTES = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
COLUMN, ROW = 58, 30  # pixels of a cell of the grid
BACK, PANEL, TEXT, QUIET = "#111217", "#181b1f", "#d8d9da", "#8e8e9c"
COLOURS = ["#73bf69", "#5794f2", "#f2cc0c", "#ff780a", "#b877d9", "#8ab8ff", "#96d98d", "#ffa6b0"]
END = int(time.time())
START = END - 60 * MINUTES
STEP = max(1, 60 * MINUTES // 450)
VARIABLES = {"$__rate_interval": "20s", "$__range": f"{MINUTES}m", "$namespace": ".+", "$detector": "pump", "$instance": ".+", "$sensor": ".+", "$job": ".+"}


def ask(what, **parameters):
    """The result of a request to Prometheus' HTTP API."""
    url = f"{PROMETHEUS}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]["result"]


def chosen(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def history(expression):
    """Yield the labels, times and values of each series of a range query."""
    for series in ask("query_range", query=chosen(expression), start=START, end=END, step=STEP):
        times = [datetime.fromtimestamp(at, timezone.utc) for at, _ in series["values"]]
        yield series["metric"], times, [float(value) for _, value in series["values"]]


def legend(target, labels):
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), target["legendFormat"]) or ""


def number(value, unit, decimals=None):
    """The text of a number in a unit of Grafana's."""
    if unit == "s":
        for size, name in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if abs(value) >= size:
                return f"{value / size:.1f} {name}"
        return f"{value * 1e6:.0f} µs" if value else "0 s"
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    return f"{value:.{decimals}f}" if decimals is not None else f"{value:g}"


def draw_stat(axes, panel):
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [{"color": "green", "value": None}])
    texts = {text: option for mapping in defaults.get("mappings", []) for text, option in mapping["options"].items()}
    shown = [(legend(target, series["metric"]), float(series["value"][1])) for target in panel["targets"] for series in ask("query", query=chosen(target["expr"]))]
    for place, (name, value) in enumerate(shown):
        option = texts.get(f"{value:g}")
        colour = option["color"] if option else [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
        middle = (place + 0.5) / len(shown)
        text = option["text"] if option else number(value, defaults["unit"], defaults.get("decimals"))
        axes.text(middle, 0.5, text, ha="center", va="center", fontsize=17, color={"green": "#73bf69", "red": "#f2495c"}[colour])
        axes.text(middle, 0.12, name, ha="center", va="center", fontsize=7, color=QUIET)


def draw_table(axes, panel):
    names = panel["transformations"][0]["options"]["include"]["names"]
    rows = [series["metric"] for target in panel["targets"] for series in ask("query", query=chosen(target["expr"]))]
    for place, name in enumerate(names):
        left = [0.01, 0.15, 0.27, 0.45, 0.55][place]
        axes.text(left, 0.82, name, fontsize=8, color=QUIET, va="center")
        for line, row in enumerate(rows[:5]):
            axes.text(left, 0.66 - 0.16 * line, row.get(name, ""), fontsize=8, color=TEXT, va="center")


def draw_series(axes, panel, spans):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults.get("custom", {})
    unit = defaults["unit"]
    red = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
    lines = [(legend(target, labels), times, values) for target in panel["targets"] for labels, times, values in history(target["expr"])]
    if custom.get("stacking", {}).get("mode") == "normal" and lines:
        times = max((times for _, times, _ in lines), key=len)
        full = [(name, values) for name, of, values in lines if len(values) == len(times)]
        axes.stackplot(times, *[values for _, values in full], labels=[name for name, _ in full], colors=COLOURS, alpha=0.6)
    else:
        for place, (name, times, values) in enumerate(lines):
            colour = "#f2495c" if any(re.fullmatch(pattern, name) for pattern in red) else COLOURS[place % len(COLOURS)]
            step = "steps-post" if custom.get("lineInterpolation") == "stepAfter" else "default"
            axes.plot(times, values, label=name, color=colour, linewidth=0.9, drawstyle=step)
            if custom.get("fillOpacity"):
                axes.fill_between(times, values, color=colour, alpha=custom["fillOpacity"] / 100)
    if "thresholdsStyle" in custom:
        border = defaults["thresholds"]["steps"][-1]["value"]
        axes.axhline(border, color="#f2495c", linewidth=0.9)
        axes.axhspan(border, defaults["max"], color="#f2495c", alpha=0.08)
    for begin, end in spans:
        axes.axvspan(begin, end, color="#f2495c", alpha=0.18, linewidth=0)
    axes.set_xlim(datetime.fromtimestamp(START, timezone.utc), datetime.fromtimestamp(END, timezone.utc))
    if "max" in defaults:
        axes.set_ylim(defaults.get("min", 0), defaults["max"])
    elif "min" in defaults:
        axes.set_ylim(bottom=defaults["min"])
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=7))
    axes.yaxis.set_major_locator(plt.MaxNLocator(5))
    axes.yaxis.set_major_formatter(lambda value, _: number(value, unit))
    axes.grid(color="#2c3235", linewidth=0.5)
    axes.tick_params(colors=QUIET, labelsize=7, length=0)
    if lines:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=4, fontsize=7, frameon=False, labelcolor=TEXT, handlelength=1.2)


def anomalies(dashboard):
    """The begin and end of each span of the annotation `Anomalies`."""
    spans = []
    for annotation in dashboard["annotations"]["list"]:
        if annotation["name"] != "Anomalies":
            continue
        for _, times, _ in history(annotation["expr"]):
            begin = before = times[0]
            for at in times[1:]:
                if (at - before).total_seconds() > STEP:
                    spans.append((begin, before))
                    begin = at
                before = at
            spans.append((begin, before))
    return spans


def draw(dashboard):
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * ROW + 44
    width = 24 * COLUMN
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100, facecolor=BACK)
    figure.text(0.012, 1 - 24 / height, dashboard["title"], color=TEXT, fontsize=13, va="center")
    spans = anomalies(dashboard)
    for panel in dashboard["panels"]:
        x, y, w, h = (panel["gridPos"][side] for side in "xywh")
        left, top, wide, high = x * COLUMN, y * ROW + 44, w * COLUMN, h * ROW
        if panel["type"] == "row":
            figure.text((left + 14) / width, 1 - (top + 16) / height, panel["title"], color=TEXT, fontsize=10, va="center")
            continue
        frame = plt.Rectangle(((left + 4) / width, 1 - (top + high - 4) / height), (wide - 8) / width, (high - 8) / height, transform=figure.transFigure, color=PANEL, zorder=-1)
        figure.add_artist(frame)
        figure.text((left + 14) / width, 1 - (top + 18) / height, panel["title"], color=TEXT, fontsize=9, va="center", weight="bold")
        if panel["type"] == "timeseries":
            box = [(left + 58) / width, 1 - (top + high - 52) / height, (wide - 78) / width, (high - 88) / height]
            axes = figure.add_axes(box, facecolor=PANEL)
            for side in axes.spines.values():
                side.set_visible(False)
            draw_series(axes, panel, spans)
            continue
        axes = figure.add_axes([(left + 8) / width, 1 - (top + high - 8) / height, (wide - 16) / width, (high - 40) / height])
        axes.axis("off")
        (draw_table if panel["type"] == "table" else draw_stat)(axes, panel)
    figure.savefig(PICTURE, facecolor=BACK)


with open(DASHBOARD, encoding="utf-8") as file:
    draw(json.load(file))
with Image.open(PICTURE) as picture:
    picture.convert("RGB").quantize(96).save(PICTURE, optimize=True)
