"""The C++ driver, bound to Python by acsylla: installed into an environment of its own, which runs cpp/checks.py."""

import sys
from pathlib import Path

import pytest
from cassandra.cluster import Session
from clients.programs import assert_checks_pass, build, cache_folder, fetch
from harness.runner import Address

CHECKS = Path(__file__).parent / "cpp" / "checks.py"
DRIVER = "acsylla==1.2.0"
VERSIONS = ("v3", "v4")
NAMES = (
    "connect",
    "values",
    "paging",
    "metadata",
    "simple",
    "prepared",
    "at_once",
    "batch",
    "lwt",
    "native_types",
    "collections",
    "errors",
    "tracing",
)


def python() -> Path:
    """The interpreter of an environment that has the driver; made when it is first asked for."""
    folder = cache_folder(f"{DRIVER}-{sys.implementation.cache_tag}")
    interpreter = folder / "bin" / "python"
    if not (folder / "installed").exists():
        build([sys.executable, "-m", "venv", str(folder)], folder)
        install = [str(interpreter), "-m", "pip", "install", "-q", "--only-binary", ":all:", "--retries", "0", DRIVER]
        fetch("the C++ driver", install, folder)
        (folder / "installed").touch()
    return interpreter


@pytest.mark.slow
def test_cpp_driver(server_address: Address, session: Session) -> None:
    expected = {f"{name}_{version}" for name in NAMES for version in VERSIONS}
    assert_checks_pass([str(python()), str(CHECKS)], expected, server_address, session, prefix="cpp")
