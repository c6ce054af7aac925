"""The Rust driver (scylla, from crates.io): builds rust/ and runs it. Only with --rust: see conftest.py."""

from pathlib import Path

import pytest
from cassandra.cluster import Session
from clients.programs import assert_checks_pass, build, cache_folder, fetch, need
from harness.runner import Address

PROJECT = Path(__file__).parent / "rust"
EVERYWHERE = ("connect", "values", "paging")
"""Also checked with compression."""
NAMES = (
    "metadata",
    "tokens",
    "simple",
    "prepared",
    "schema_change_of_prepared",
    "at_once",
    "batch",
    "counter_batch",
    "lwt",
    "native_types",
    "collections",
    "udt_tuple_vector",
    "errors",
    "warnings",
    "tracing",
)


@pytest.mark.slow
def test_rust_driver(server_address: Address, session: Session, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--rust"):
        pytest.skip("a minute of compiling: ask for it with --rust")
    need("cargo")
    target = cache_folder("rust")
    fetch("the Rust driver", ["cargo", "fetch", "--locked"], PROJECT)
    build(["cargo", "build", "--locked", "--offline", "--quiet"], PROJECT, {"CARGO_TARGET_DIR": str(target)})
    expected = {f"{name}_v4" for name in (*EVERYWHERE, *NAMES)}
    expected |= {f"{name}_{kind}" for name in EVERYWHERE for kind in ("v4_lz4", "v4_snappy")}
    assert_checks_pass([str(target / "debug" / "compat")], expected, server_address, session, "rust")
