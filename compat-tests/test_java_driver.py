"""The Java driver: builds and runs java/, one process, whose every line is a check's outcome."""

from pathlib import Path

import pytest
from cassandra.cluster import Session
from clients.programs import assert_checks_pass, fetch, need, run
from harness.runner import Address

PROJECT = Path(__file__).parent / "java"
MAVEN = ("mvn", "-B", "-q", "-f", str(PROJECT / "pom.xml"))

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


def class_path(folder: Path) -> str:
    """Compiles into `folder`; the jars come from Maven's cache, or from Maven Central where they are not there yet."""
    need("java", "javac", "mvn")
    listing = folder / "class-path"
    goals = ("compile", "dependency:build-classpath", f"-Dmdep.outputFile={listing}", f"-DbuildDirectory={folder}")
    built = run([*MAVEN, "-o", *goals], folder)
    assert "COMPILATION ERROR" not in built.stdout, built.stdout
    if built.returncode:
        fetch("the Java driver", [*MAVEN, *goals], folder)
    return f"{folder / 'classes'}:{listing.read_text().strip()}"


@pytest.mark.slow
def test_java_driver(server_address: Address, session: Session, tmp_path: Path) -> None:
    path = class_path(tmp_path)
    expected = {"negotiation", *(f"{name}_{version}" for name in (*EVERYWHERE, *NAMES) for version in VERSIONS)}
    expected |= {f"{name}_{kind}" for name in EVERYWHERE for kind in ("v4_lz4", "v5_lz4", "v4_snappy")}
    assert_checks_pass(["java", "-Xshare:auto", "-cp", path, "compat.Checks"], expected, server_address, session, "java")
