"""What circles.py finds, and what it leaves alone: run by tests/lint."""

import tempfile
import unittest
from pathlib import Path

from circles import Crate, circles, rooms


def graph(**files):
    """The imports of a crate whose files are given by name, with `__` for `/`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name.replace("__", "/") + ".rs")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return dict(Crate(Path(folder)).edges())


class Circles(unittest.TestCase):
    def test_two_files_that_import_each_other_are_a_circle(self):
        edges = graph(a="use crate::b::B;\npub struct A;", b="use crate::{\n  a::A,\n  c::{self, C},\n};\npub struct B;", c="pub struct C;")
        self.assertEqual(circles(edges), [[("a",), ("b",)]])

    def test_a_parent_that_uses_its_child_and_is_used_by_it_is_a_circle(self):
        edges = graph(a__mod="mod b;\npub fn f() { b::g() }\npub struct Limit;", a__b="use super::Limit;\npub fn g() {}")
        self.assertEqual(circles(edges), [[("a",), ("a", "b")]])

    def test_a_parent_that_only_declares_and_re_exports_is_none(self):
        edges = graph(
            a__mod="mod b;\nmod c;\npub use b::B;\npub use c::*;", a__b="pub struct B;", a__c="use super::B;\npub struct C;", d="use crate::a::C;"
        )
        self.assertEqual(circles(edges), [])
        self.assertEqual(edges[("a", "c")], {("a", "b")})
        self.assertEqual(edges[("d",)], {("a", "c")})

    def test_paths_outside_of_use_lines_count(self):
        edges = graph(a="use crate::b;\npub fn f() { b::g() }", b="pub fn g() { crate::a::f() }")
        self.assertEqual(circles(edges), [[("a",), ("b",)]])

    def test_tests_comments_and_strings_do_not_count(self):
        edges = graph(
            a="use crate::b::B;\npub struct A;", b='pub struct B;\n// crate::a::A\nconst S: &str = "crate::a::A";\n#[cfg(test)]\nmod tests { use crate::a::A; }'
        )
        self.assertEqual(circles(edges), [])

    def test_top_level_modules_make_circles_that_no_two_files_make(self):
        edges = graph(a__x="use crate::b::y::Y;", a__z="pub struct Z;", b__y="pub struct Y;", b__w="use crate::a::z::Z;")
        self.assertEqual(circles(edges), [])
        self.assertEqual(circles(rooms(edges)), [[("a",), ("b",)]])


if __name__ == "__main__":
    unittest.main()
