"""Draws the last screen of a terminal recording: terminal.py RECORDING PICTURE."""

import html
import pathlib
import sys

import pyte

COLUMNS, ROWS = 132, 24
WIDTH, HEIGHT, MARGIN = 7.8, 17, 14
COLOURS = {"red": "#f2495c", "green": "#73bf69", "brown": "#f2cc0c", "blue": "#5794f2", "magenta": "#b877d9", "cyan": "#8ab8ff"}
BACK, TEXT = "#111217", "#d8d9da"


def spans(line):
    """Groups of neighbouring cells with the same colour and weight: first column, cells, (colour, bold)."""
    found = []
    for column in range(COLUMNS):
        cell = line[column]
        look = (COLOURS.get(cell.fg, TEXT), cell.bold)
        if found and found[-1][2] == look:
            found[-1][1].append(cell.data)
        else:
            found.append((column, [cell.data], look))
    return found


def main():
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    recording = pathlib.Path(sys.argv[1]).read_bytes()
    # Leave out the lines that `script` itself writes.
    started = recording.index(b"\n") + 1 if recording.startswith(b"Script started") else 0
    done = recording.rfind(b"\nScript done")
    stream.feed(recording[started : done if done > 0 else len(recording)].replace(b"Session terminated, killing shell...", b""))
    lines = [screen.buffer[row] for row in range(ROWS)]
    while lines and not "".join(cell.data for cell in lines[-1].values()).strip():
        lines.pop()
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    texts = []
    for row, line in enumerate(lines):
        for column, cells, (colour, bold) in spans(line):
            text = "".join(cells).rstrip()
            if text:
                x, y = MARGIN + column * WIDTH, MARGIN + (row + 0.75) * HEIGHT
                length = len("".join(cells).rstrip()) * WIDTH
                weight = ' font-weight="bold"' if bold else ""
                texts.append(
                    f'<text x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}" fill="{colour}"{weight} xml:space="preserve">{html.escape(text)}</text>'
                )
    pathlib.Path(sys.argv[2]).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" '
        f'font-size="13">\n<rect width="100%" height="100%" rx="8" fill="{BACK}"/>\n' + "\n".join(texts) + "\n</svg>\n"
    )


main()
