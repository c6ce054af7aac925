"""The example projects, as a user has them: built wheels in an environment of their own."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[2]
EXAMPLES = HOME / "docs/examples"
INSTALL_S = 600.0


def run(*command: str, **settings: object) -> str:
    """What it wrote. Raises AssertionError where it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S, **settings)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of an environment with the plugin for pytest, which brings the server, and the driver."""
    folder = tmp_path_factory.mktemp("user")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "build", "__pycache__", "target", "node_modules")
    shutil.copytree(HOME, source, ignore=ignored)
    sources = str(source), str(source / "cqlserver/testing")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), *sources)
    shutil.rmtree(source)
    venv.create(folder / "env", with_pip=True)
    python = str(folder / "env/bin/python")
    run(python, "-m", "pip", "install", "-q", "--find-links", str(folder), "pytest-cqlserver", "cassandra-driver")
    yield python
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["plain-driver", "cqlengine"])
def test_a_project_is_green(python: str, name: str, tmp_path: Path) -> None:
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHON"))}
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project, env=clean)
    assert " passed" in told
    assert "failed" not in told


def test_cqlserver_run_from_the_wheel(python: str, tmp_path: Path) -> None:
    script = "import os; print(os.environ['CASSANDRA_CONTACT_POINTS'], os.environ['CASSANDRA_KEYSPACE'])"
    told = run(str(Path(python).parent / "cqlserver"), "run", "--", python, "-c", script, cwd=tmp_path)
    assert told == "127.0.0.1 test\n"
    assert list(tmp_path.iterdir()) == []
