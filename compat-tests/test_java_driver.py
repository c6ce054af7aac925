"""The Java driver: builds and runs java/, one process, whose every line is a check's outcome."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from cassandra.cluster import Session
from clients.python_driver import unique
from harness.runner import Address

PROJECT = Path(__file__).parent / "java"
BUILD_TIMEOUT_S = 300
RUN_TIMEOUT_S = 120

VERSIONS = ("v3", "v4", "v5")
EVERYWHERE = ("connect", "values", "paging")
"""Also checked with compression."""
NAMES = (
    "metadata",
    "tokens",
    "simple",
    "prepared",
    "schema_change_of_prepared",
    "async",
    "batch",
    "counter_batch",
    "lwt",
    "native_types",
    "collections",
    "udt_tuple_vector",
    "schema_events",
    "errors",
    "warnings",
    "tracing",
    "keyspace_per_request",
)


def _maven(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["mvn", "-B", "-q", "-f", str(PROJECT / "pom.xml"), *arguments],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )


@cache
def class_path(folder: Path) -> str:
    """Compiles into `folder`; the jars come from Maven's cache, or from Maven Central where they are not there yet."""
    if not (shutil.which("java") and shutil.which("javac") and shutil.which("mvn")):
        pytest.skip("no JDK and Maven here")
    listing = folder / "class-path"
    goals = ("compile", "dependency:build-classpath", f"-Dmdep.outputFile={listing}", f"-DbuildDirectory={folder}")
    if _maven("-o", *goals).returncode:
        built = _maven(*goals)
        if built.returncode:
            if "COMPILATION ERROR" in built.stdout:
                pytest.fail(built.stdout)
            pytest.skip(f"the Java driver can't be had: {built.stdout.strip()[:500]}")
    return f"{folder / 'classes'}:{listing.read_text().strip()}"


@pytest.mark.slow
def test_java_driver(server_address: Address, session: Session, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = class_path(tmp_path_factory.mktemp("java"))
    keyspace = unique("java")
    try:
        done = subprocess.run(
            ["java", "-Xshare:auto", "-cp", path, "compat.Checks", server_address.host, str(server_address.port), keyspace],
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
    finally:
        session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
    lines = done.stdout.splitlines()
    failed = [line for line in lines if not line.startswith("ok ")]
    assert not failed, "\n".join(failed)
    assert done.returncode == 0, done.stderr
    expected = {"negotiation", *(f"{name}_{version}" for name in (*EVERYWHERE, *NAMES) for version in VERSIONS)}
    expected |= {f"{name}_{kind}" for name in EVERYWHERE for kind in ("v4_lz4", "v5_lz4", "v4_snappy")}
    assert {line.removeprefix("ok ") for line in lines} == expected
