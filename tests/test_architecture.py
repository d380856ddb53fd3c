"""
Who may import whom, and how large things may be: docs/ARCHITECTURE, "Rules", read off the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import dregistry

ROOT = Path(dregistry.__file__).parent
INNER = (
    "registry", "storage", "redis", "auth", "notifications", "maintenance", "digest", "reference", "manifest", "errors"
)  # fmt: skip
"""Packages and modules that know nothing of HTTP."""
FORBIDDEN = ("klein", "werkzeug", "twisted.web", "dregistry.web")
OUTSIDE_CLIENTS = {
    "auth.jwks",
    "notifications.webhook",
    "storage.s3._transport",
    "storage.s3._certificates",
    "maintenance.upstream",
}
"""They speak HTTP as clients, by Twisted's agent or by treq."""
MODULE_LINES = 300
FUNCTION_LINES = 40
LONG_MODULES = {
    "storage._files": "every step by which files appear, move and vanish, whose order is one argument",
}
"""Module to the reason for which it may be longer."""
LONG_FUNCTIONS: dict[str, str] = {}
"""Qualified function to the reason for which it may be longer."""


def modules() -> Iterator[tuple[str, Path]]:
    """Dotted names below ``dregistry``, and their files."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(name: str, path: Path, tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported anywhere in ``tree``, a part of that module."""
    package = ["dregistry", *name.split(".")] if name else ["dregistry"]
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in node.names)


def top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those of classes and conditions included."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    """Qualified names of functions, and their lines but for those of their docstrings."""
    for child in ast.iter_child_nodes(node):
        name = getattr(child, "name", None)
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert child.end_lineno is not None
            docstring = (ast.get_docstring(child) or "").splitlines()
            yield f"{prefix}.{name}", child.end_lineno - child.lineno + 1 - len(docstring)
        inner = f"{prefix}.{name}" if isinstance(name, str) else prefix
        yield from functions(child, inner)


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


class ImportTests(SynchronousTestCase):
    def test_inward(self) -> None:
        """The domain and the backends know nothing of the server's HTTP."""
        wrong = [
            f"{name} imports {found}"
            for name, path in modules()
            if name.partition(".")[0] in INNER and name not in OUTSIDE_CLIENTS
            for found in imported(name, path, parsed(path))
            if any(is_below(found, forbidden) for forbidden in FORBIDDEN)
        ]
        self.assertEqual(wrong, [])

    def test_storage_knows_no_registry(self) -> None:
        wrong = [
            f"{name} imports {found}"
            for name, path in modules()
            if is_below(name, "storage")
            for found in imported(name, path, parsed(path))
            if any(is_below(found, f"dregistry.{each}") for each in ("registry", "auth", "config", "manifest"))
        ]
        self.assertEqual(wrong, [])

    def test_web_knows_no_storage(self) -> None:
        """Handlers ask the domain, and never open what it keeps."""
        wrong = [
            f"{name} imports {found}"
            for name, path in modules()
            if is_below(name, "web")
            for found in imported(name, path, parsed(path))
            if is_below(found, "dregistry.storage")
        ]
        self.assertEqual(wrong, [])

    def test_reactor(self) -> None:
        """It is chosen by whoever runs the program: importing it installs one."""
        wrong = [
            name
            for name, path in modules()
            for statement in top_level(parsed(path))
            if isinstance(statement, (ast.Import, ast.ImportFrom))
            and "twisted.internet.reactor" in imported(name, path, statement)
        ]
        self.assertEqual(wrong, [])

    def test_finder(self) -> None:
        """The tests above see what they are to see."""
        path = ROOT / "storage" / "x.py"
        tree = ast.parse("from ..web import site\nfrom . import paths\nimport klein.app\nfrom twisted import web")
        self.assertEqual(
            set(imported("storage.x", path, tree)),
            {
                "dregistry.web", "dregistry.web.site", "dregistry.storage", "dregistry.storage.paths",
                "klein.app", "twisted", "twisted.web",
            },
        )  # fmt: skip
        package = ROOT / "storage" / "__init__.py"
        self.assertIn("dregistry.storage.paths", set(imported("storage", package, ast.parse("from . import paths"))))
        late = ast.parse(
            "def f():\n from twisted.internet import reactor\nif 1:\n from twisted.internet import reactor"
        )
        found = [each for each in top_level(late) if isinstance(each, ast.ImportFrom)]
        self.assertEqual(len(found), 1)


class SizeTests(SynchronousTestCase):
    def test_modules(self) -> None:
        lengths = {name: len(path.read_text().splitlines()) for name, path in modules()}
        self.assertEqual({name for name, lines in lengths.items() if lines > MODULE_LINES} - set(LONG_MODULES), set())

    def test_functions(self) -> None:
        lengths = {qualified: lines for name, path in modules() for qualified, lines in functions(parsed(path), name)}
        self.assertEqual(
            {name for name, lines in lengths.items() if lines > FUNCTION_LINES} - set(LONG_FUNCTIONS), set()
        )
