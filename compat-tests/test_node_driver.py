"""The Node.js driver: installs it into a cache folder and runs node/checks.js with it."""

import hashlib
import shutil
from pathlib import Path

import pytest
from cassandra.cluster import Session
from clients.programs import assert_checks_pass, cache_folder, fetch, need
from harness.runner import Address

PROJECT = Path(__file__).parent / "node"
VERSIONS = ("v3", "v4")
NAMES = (
    "connect",
    "values",
    "paging",
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
    "mapper",
    "schema_events",
    "errors",
    "warnings",
    "tracing",
    "custom_payload",
)
INSTALL = ("npm", "ci", "--ignore-scripts", "--engine-strict", "--no-audit", "--no-fund", "--fetch-retries=0")


def modules() -> Path:
    """The folder with the driver that package-lock.json names; installed when it is first asked for."""
    lock = (PROJECT / "package-lock.json").read_bytes()
    folder = cache_folder(f"node-{hashlib.sha256(lock).hexdigest()[:12]}")
    if not (folder / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROJECT / name, folder)
        fetch("the Node.js driver", INSTALL, folder)
        (folder / "installed").touch()
    return folder


@pytest.mark.slow
def test_node_driver(server_address: Address, session: Session) -> None:
    need("node", "npm")
    folder = modules()
    shutil.copy(PROJECT / "checks.js", folder)
    expected = {"negotiation", *(f"{name}_{version}" for name in NAMES for version in VERSIONS)}
    assert_checks_pass(["node", str(folder / "checks.js")], expected, server_address, session, "node")
