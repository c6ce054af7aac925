"""The example projects in other languages (docs/examples/other-languages), run as their README says."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from clients.programs import RUN_TIMEOUT_S, cache_folder, fetch, need, run

pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[1]
EXAMPLES = HOME / "docs/examples/other-languages"
GO = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the one that the test is about: nothing is built inside the repository."""
    folder = tmp_path / request.param
    shutil.copytree(EXAMPLES / request.param, folder)
    shutil.copy(EXAMPLES / "schema.cql", tmp_path)
    return folder


def output_of(project: Path, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What the project's tests say, which must pass."""
    served = [sys.executable, "-P", "-m", "cqlserver", "run", "--init", "../schema.cql", "--", *command]
    done = subprocess.run(
        served,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(HOME), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("project", ["go"], indirect=True)
def test_go(project: Path) -> None:
    need("go")
    fetch("the Go driver", ["go", "mod", "download"], project, GO)
    told = output_of(project, ["go", "test", "-v", "./..."], GO)
    assert told.count("--- PASS") == 2, told


@pytest.mark.parametrize("project", ["jest"], indirect=True)
def test_jest(project: Path) -> None:
    need("node", "npm")
    modules = cache_folder(f"jest-{hashlib.sha256((project / 'package-lock.json').read_bytes()).hexdigest()[:12]}")
    if not (modules / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(project / name, modules)
        fetch("Jest", INSTALL, modules)
        (modules / "installed").touch()
    (project / "node_modules").symlink_to(modules / "node_modules")
    told = output_of(project, ["npm", "test"])
    assert "Tests:       2 passed, 2 total" in told, told


@pytest.mark.parametrize("project", ["junit5"], indirect=True)
def test_junit(project: Path) -> None:
    need("java", "mvn")
    if run(["mvn", "-B", "-q", "-o", "test-compile", "surefire:help"], project).returncode:
        fetch("JUnit", ["mvn", "-B", "-q", "test", "-DskipTests"], project)
    told = output_of(project, ["mvn", "-B", "test"])
    assert "Tests run: 2, Failures: 0, Errors: 0, Skipped: 0" in told, told
