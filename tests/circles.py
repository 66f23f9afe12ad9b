#!/usr/bin/env python3
"""The source folders of crates in, circles of imports out: `tests/circles.py SRC...`; exit code 1 if there
are any.

A circle is a group of files in which each needs, directly or through others, every other. A name that a file
only re-exports leads to the file that defines it, so a `mod.rs` with only `mod` lines and re-exports closes
no circle. Tests (`#[cfg(test)]`, `tests.rs`) may import anything. With --edges, prints every import instead.
"""

import re
import sys
from pathlib import Path

NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\[^\n]+?|[^\\\'\n])\'', re.DOTALL
)
TEST = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*")
USE = re.compile(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
MODULE = re.compile(r"\bmod\s+(\w+)\s*;")
DEFINITION = re.compile(
    r"\b(?:struct|enum|union|trait|type|const|static|fn|macro_rules!)\s+(?:mut\s+)?([A-Za-z_]\w*)"
)
PATH = re.compile(r"(?<![\w:.$])([a-z_]\w*(?:::\w+)+)")


def without_tests(code):
    """The code without the items that are compiled for tests only."""
    while match := TEST.search(code):
        end, depth = match.end(), 0
        while end < len(code):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
            if depth == 0 and code[end - 1] in ";}":
                break
        code = code[: match.start()] + code[end:]
    return code


def leaves(tree, prefix=()):
    """`a::{b, c::d as e}` in, (path, name) of each import out; the name of a glob is `*`."""
    tree = tree.strip()
    if "{" in tree:
        head, body = tree.split("{", 1)
        prefix += tuple(part for part in head.strip().strip(":").split("::") if part)
        depth, start, body = 0, 0, body.rstrip().removesuffix("}") + ","
        for position, letter in enumerate(body):
            depth += {"{": 1, "}": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                if branch := body[start:position].strip():
                    yield from leaves(branch, prefix)
                start = position + 1
        return
    path, _, name = tree.partition(" as ")
    path = prefix + tuple(part.strip() for part in path.split("::") if part.strip())
    if len(path) > 1 and path[-1] == "self":
        path = path[:-1]
    yield path, name.strip() or path[-1]


class File:
    """What one file declares, defines and imports."""

    def __init__(self, path, module):
        code = without_tests(NOISE.sub('""', path.read_text()))
        self.path, self.module = path, module
        self.children = set(MODULE.findall(code))
        self.defined = set(DEFINITION.findall(code))
        self.imports = [leaf for _, tree in USE.findall(code) for leaf in leaves(tree)]
        self.paths = {tuple(path.split("::")) for path in PATH.findall(USE.sub("", code))}


class Crate:
    def __init__(self, source):
        self.source = source
        self.files = {}
        for path in sorted(source.rglob("*.rs")):
            module = path.relative_to(source).with_suffix("").parts
            if "tests" in module or module[0] == "bin" or module == ("main",) and (source / "lib.rs").exists():
                continue
            if module[-1] in ("mod", "lib", "main"):
                module = module[:-1]
            self.files[module] = File(path, module)

    def absolute(self, file, path):
        """A path as it is written in a file, from the crate's root; None where it leads out of the crate."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first == "self":
            return file.module + rest
        if first == "super":
            module = file.module[:-1]
            while rest and rest[0] == "super":
                module, rest = module[:-1], rest[1:]
            return module + rest
        if first in file.children:
            return file.module + path
        for target, name in file.imports:
            if name == first and target != path[: len(target)]:
                base = self.absolute(file, target)
                return None if base is None else base + rest
        return None

    def definers(self, path, seen=frozenset()):
        """The modules of the files that define what a path from the root names."""
        if path in self.files or path in seen:
            return set()  # the name of a module: the items that are used from it have paths of their own
        seen = seen | {path}
        module = path
        while module not in self.files:
            module = module[:-1]
        file, name, rest = self.files[module], path[len(module)], path[len(module) + 1 :]
        if name == "*" or name in file.defined:
            return {module}
        for target, alias in file.imports:
            if alias == name and (base := self.absolute(file, target)) is not None:
                return self.definers(base + rest, seen)
        for target, alias in file.imports:
            if alias == "*" and (base := self.absolute(file, target)) is not None:
                if found := self.definers(base[:-1] + (name,) + rest, seen):
                    return found
        return set() if seen != {path} else {module}

    def edges(self):
        for module, file in self.files.items():
            written = {target for target, _ in file.imports} | file.paths
            absolute = {self.absolute(file, path) for path in written} - {None}
            targets = {definer for path in absolute for definer in self.definers(path)}
            yield module, targets - {module}


def circles(graph):
    """Strongly connected groups of more than one node (Tarjan 1972)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in graph[node]:
            if target not in order:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            group = []
            while node not in group:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for node in graph:
        if node not in order:
            visit(node)
    return found


def rooms(graph):
    """The graph of imports between top-level modules. lib.rs, which only lists them, is not one of them."""
    result = {}
    for module, targets in graph.items():
        if module:
            result.setdefault(module[:1], set()).update(target[:1] for target in targets if target)
    return {room: targets - {room} for room, targets in result.items()}


def main(arguments):
    listing = "--edges" in arguments
    status = 0
    for source in (Path(argument) for argument in arguments if argument != "--edges"):
        crate = Crate(source)
        graph = dict(crate.edges())
        if not crate.files:
            sys.exit(f"circles.py: no Rust files in {source}")
        name = lambda module: "::".join(module) or "lib.rs"  # noqa: E731
        for kind, edges in (("files", graph), ("modules", rooms(graph))):
            if listing:
                for module, targets in edges.items():
                    print(f"{kind}: {name(module)} -> {', '.join(sorted(map(name, targets)))}")
                continue
            for group in circles(edges):
                status = 1
                print(f"{source}: a circle of {len(group)} {kind}:")
                for module in group:
                    inside = sorted(name(target) for target in edges[module] if target in group)
                    print(f"  {name(module)} -> {', '.join(inside)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
