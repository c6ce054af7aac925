"""Clients in other languages: programs that are built once, run once, and print one line for each check.

A line is "ok name" or "FAIL name: why". Where a toolchain is missing, or what it has to download can't be had, the test is
skipped and says so; a program of ours that does not compile fails. Nothing is built inside the repository.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from cassandra.cluster import Session
from harness.runner import Address

from clients.python_driver import unique

BUILD_TIMEOUT_S = 300
RUN_TIMEOUT_S = 180


def cache_folder(name: str) -> Path:
    """A folder of the user's that keeps what is slow to make again."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "cqlserver-compat" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A step of a build; how it ended is the caller's to judge."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, f"{' '.join(command)}: not within {BUILD_TIMEOUT_S} s")


def fetch(
    what: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A step that downloads; the test is skipped where it fails."""
    done = run(command, folder, environment)
    if done.returncode:
        pytest.skip(f"{what} can't be had: {done.stdout.strip()[-500:]}")
    return done


def build(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    done = run(command, folder, environment)
    assert done.returncode == 0, done.stdout


def assert_checks_pass(command: Sequence[str], expected: set[str], address: Address, session: Session, prefix: str) -> None:
    """Runs a program with host, port and the name of a keyspace of its own: all `expected` checks are made and pass."""
    keyspace = unique(prefix)
    try:
        done = subprocess.run(
            [*command, address.host, str(address.port), keyspace],
            stdin=subprocess.DEVNULL,
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
    assert {line.removeprefix("ok ") for line in lines} == expected
