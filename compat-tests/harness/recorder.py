"""The command line of the compat scripts: record outcomes from a real Cassandra, or show how a server differs."""

import argparse
import difflib
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.nodes import CommandedNodes
from harness.runner import Address, Cluster, run_script
from harness.script import SUFFIX, Script, Way, load_script
from protocol.client import connect
from protocol.responses import RowsResult

SCRIPTS = Path(__file__).parent.parent / "scripts"
CLUSTER_SCRIPTS = SCRIPTS.parent / "cluster_scripts"
"""Scripts that take nodes of three down."""
RELEASE_VERSION = b"5.0.8"
CHANGING_AREA = "changes"
WORKERS = 3


class NotCassandra(RuntimeError):
    """Outcomes are recorded from the real thing only."""


def find_scripts(paths: Sequence[Path] = (SCRIPTS,)) -> list[Path]:
    """All scripts below the given files and folders, in order."""
    found: set[Path] = set()
    for path in paths:
        found.update(path.rglob(f"*{SUFFIX}") if path.is_dir() else [path])
    return sorted(found)


def difference(expected: str, actual: str, path: Path) -> str:
    """A unified diff, empty where the texts are equal."""
    lines = difflib.unified_diff(
        expected.splitlines(), actual.splitlines(), f"{path} (recorded)", f"{path} (this server)", lineterm="", n=4
    )
    return "\n".join(lines)


def check_is_cassandra(address: Address) -> None:
    """Raises NotCassandra unless a Java machine at `address` runs exactly the version that we hold ourselves to."""
    with connect(address.host, address.port, timeout_s=10) as connection:
        version = connection.query("SELECT release_version FROM system.local").response
        java = connection.query("SELECT value FROM system_views.system_properties WHERE name = 'java.vm.name'").response
        heap = connection.query("SELECT name FROM system_views.caches").response
    if not isinstance(version, RowsResult) or version.rows() != [(RELEASE_VERSION,)]:
        raise NotCassandra(f"{address.host}:{address.port} is not Cassandra {RELEASE_VERSION.decode()}")
    if not isinstance(java, RowsResult) or not java.row_count or not isinstance(heap, RowsResult):
        raise NotCassandra(f"{address.host}:{address.port} does not run on Java: outcomes come from the real Cassandra")


def server_kind(address: Address) -> str:
    """Which scripts a server is for (Script.server): clients may have to say there who they are, and guardrails be low;
    or it has change data capture."""

    def setting(name: str) -> bytes:
        found = connection.query(f"SELECT value FROM system_views.settings WHERE name = '{name}'").response
        assert isinstance(found, RowsResult)
        return (found.rows()[0][0] or b"") if found.row_count else b""

    with connect(address.host, address.port, timeout_s=10) as connection:
        if setting("cdc_enabled") == b"true":
            return "captured"
        if b"AllowAll" in setting("authenticator"):
            return "plain"
        return "login" if setting("tables_warn_threshold") in (b"", b"-1") else "guarded"


def record(script: Script, target: Address | Cluster) -> str:
    """Runs and rewrites one script; what changed, as a diff."""
    text = run_script(script, target).render()
    old = script.path.read_text(encoding="utf-8")
    if text != old:
        script.path.write_text(text, encoding="utf-8")
    return difference(old, text, script.path)


def compare(
    script: Script,
    *targets: Address | Cluster,
    interrupt: Callable[[], None] | None = None,
    interrupted: Sequence[Way] = (),
) -> str:
    """Runs one script; how its outcome differs from the recorded one, as a diff. `interrupt`: see run_script."""
    actual = run_script(script, *targets, interrupt=interrupt, interrupted=interrupted).render()
    return difference(script.path.read_text(encoding="utf-8"), actual, script.path)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="record.py", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--record", metavar="HOST:PORT", help="write the outcomes of this Cassandra into the scripts")
    action.add_argument("--diff", metavar="HOST:PORT[,...]", help="show how the outcomes of this server, or cluster, differ")
    parser.add_argument(
        "--control",
        metavar="COMMAND",
        help="for cluster_scripts, with three addresses: stops and starts a node, called with stop or start and the last "
        "number of its address",
    )
    parser.add_argument("--missing", action="store_true", help="with --record: only scripts that have no outcome yet")
    parser.add_argument("--quiet", action="store_true", help="names of scripts instead of diffs")
    parser.add_argument("paths", nargs="*", type=Path, help="scripts or folders; all scripts by default")
    return parser.parse_args(arguments)


def _groups(scripts: Sequence[Script], kind: str) -> list[tuple[list[Script], int]]:
    """Which scripts may run together, and how many at once. Lists of all roles show those of other scripts; those that take
    nodes down need the same ones down, but for those that change it."""
    areas: dict[str, list[Script]] = {}
    for script in scripts:
        is_of_cluster = script.path.is_relative_to(CLUSTER_SCRIPTS)
        areas.setdefault(script.path.parent.name if is_of_cluster else "", []).append(script)
    return [(found, WORKERS if kind == "plain" and area != CHANGING_AREA else 1) for area, found in areas.items()]


def main(arguments: Sequence[str]) -> int:
    options = _parsed(arguments)
    default = CLUSTER_SCRIPTS if options.control else SCRIPTS
    scripts = [load_script(path) for path in find_scripts(options.paths or [default])]
    if options.missing:
        scripts = [s for s in scripts if any(not step.is_prose and not step.outcome for step in s.steps)]
    if options.record:
        cluster = Cluster.parse(options.record)
        check_is_cassandra(cluster.addresses[0])
        work = record
    elif options.diff:
        cluster = Cluster.parse(options.diff)
        work = compare
    else:
        print(f"{sum(script.statement_count for script in scripts)} statements in {len(scripts)} scripts")
        return 0
    kind = "plain" if options.control else server_kind(cluster.addresses[0])
    scripts = [script for script in scripts if script.server == kind]
    if options.control:
        cluster = Cluster(cluster.addresses, nodes=CommandedNodes(cluster.addresses, options.control))
    started = time.monotonic()
    differing = 0
    for together, workers in _groups(scripts, kind):
        with ThreadPoolExecutor(1 if options.control else workers) as pool:  # what one does to nodes all would see
            for script, changes in zip(together, pool.map(lambda s: work(s, cluster), together), strict=True):
                if changes:
                    differing += 1
                    print(script.path if options.quiet else changes, flush=True)
    print(f"{differing} of {len(scripts)} scripts differ ({time.monotonic() - started:.1f} s)", file=sys.stderr)
    return 1 if differing and options.diff else 0
