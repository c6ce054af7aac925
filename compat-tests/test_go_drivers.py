"""The Go drivers: Apache's gocql of today, and its predecessor under the name that most programs still import."""

from pathlib import Path

import pytest
from cassandra.cluster import Session
from clients.programs import assert_checks_pass, build, fetch, need
from harness.runner import Address

PROJECT = Path(__file__).parent / "go"
NEW, OLD = "github.com/apache/cassandra-gocql-driver/v2", "github.com/gocql/gocql"
SOURCES = ("go.mod", "go.sum", "checks.go", "differences_new.go", "differences_old.go")
GO = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}

EVERYWHERE = ("connect", "values", "paging")
"""Also checked with compression."""
NAMES = (
    "metadata",
    "agreement",
    "simple",
    "prepared",
    "schema_change_of_prepared",
    "at_once",
    "batch",
    "counter_batch",
    "lwt",
    "native_types",
    "collections",
    "udt_tuple",
    "errors",
    "warnings",
    "tracing",
    "custom_payload",
    "tokens",
)


def expected(versions: tuple[str, ...], compressed: tuple[str, ...], more: tuple[str, ...] = ()) -> set[str]:
    found = {"negotiation", *(f"{name}_{version}" for name in (*EVERYWHERE, *NAMES, *more) for version in versions)}
    return found | {f"{name}_{kind}" for name in EVERYWHERE for kind in compressed}


DRIVERS = {
    "cassandra-gocql-driver": (
        "new",
        expected(
            ("v3", "v4", "v5"),
            ("v3_lz4", "v3_snappy", "v4_lz4", "v4_snappy", "v5_lz4"),
            ("vector", "schema_events", "keyspace_per_request"),
        ),
    ),
    "gocql": ("old", expected(("v3", "v4"), ("v3_snappy", "v4_snappy"))),
}


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
def test_go_driver(driver: str, server_address: Address, session: Session, tmp_path: Path) -> None:
    need("go")
    tag, checks = DRIVERS[driver]
    for name in SOURCES:
        text = (PROJECT / name).read_text(encoding="utf-8")
        if name == "checks.go" and tag == "old":
            text = text.replace(NEW, OLD)
        (tmp_path / name).write_text(text, encoding="utf-8")
    fetch("the Go drivers", ["go", "mod", "download"], tmp_path, GO)
    program = tmp_path / f"gocql_{tag}"
    build(["go", "build", "-tags", tag, "-o", str(program), "."], tmp_path, GO)
    assert_checks_pass([str(program)], checks, server_address, session, f"gocql_{tag}")
