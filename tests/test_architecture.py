"""The rules of the house that a machine can keep: they are read off the source."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {"protocol": 0, "grammar": 0, "storage": 1, "cluster": 2, "cqlserver": 3}
OUTSIDE = {"time", "random", "socket", "threading", "secrets", "uuid1", "uuid4"}
SOURCES = sorted(path for package in FLOORS for path in (ROOT / package).rglob("*.py"))
PURE = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "cqlserver" and "environment" not in path.parts]
LINES_MAX = 700


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported by a function) of all imports, those for type checking left out."""
    tree = ast.parse(path.read_text())
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in late
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in late
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in late


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_imports_go_downwards(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    for module, _ in imports(path):
        other = module.split(".")[0]
        if other in FLOORS and other != own:
            assert FLOORS[other] < FLOORS[own], f"{named(path)} imports {module}"
            assert own not in ("protocol", "grammar"), f"{named(path)} imports its sibling {module}"


@pytest.mark.parametrize("path", PURE, ids=named)
def test_the_outside_comes_through_the_environment(path: Path) -> None:
    for module, is_late in imports(path):
        if path.name == "client.py" and module.split(".")[0] == "socket" and is_late:
            continue  # the client's `connect` is for tools and tests; a server never calls it
        assert module.split(".")[0] not in OUTSIDE, f"{named(path)} imports {module}"
        assert not module.startswith(("uuid.uuid1", "uuid.uuid4", "trio")), f"{named(path)} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_stays_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX, f"{named(path)}: split it, it holds more than one noun"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{named(path)} has no docstring"


USERS = ["__init__.py", "launcher.py", "running.py", "control/__init__.py", "control/client.py", "password_obfuscator.py"]
USERS += ["seeding", "testing"]
"""What a user's own process imports of cqlserver/."""
OF_USERS = {"pytest", "_pytest", "cassandra", "yaml"}
"""What is there where it is imported: by pytest, or late."""


@pytest.mark.parametrize("name", USERS)
def test_what_users_processes_import_needs_nothing_of_the_server(name: str) -> None:
    """So that no module of the user's can hide one of ours, and that it costs next to nothing."""
    place = ROOT / "cqlserver" / name
    allowed = tuple(f"cqlserver.{user.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}" for user in USERS)
    for path in place.rglob("*.py") if place.is_dir() else [place]:
        for module, is_late in imports(path):
            root = module.split(".")[0]
            if root == "cqlserver":
                assert module in ("cqlserver", "cqlserver.control") or module.startswith(allowed), f"{named(path)}: {module}"
            elif root in OF_USERS:
                assert is_late or root == "pytest", f"{named(path)} imports {module}"
            else:
                assert root in sys.stdlib_module_names, f"{named(path)} imports {module}"
