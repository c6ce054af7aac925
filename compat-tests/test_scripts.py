"""Replays every compat script against a server: its outcomes must be those recorded from Cassandra.

Each script is sent all four ways: simple and prepared, protocol v4 and v5. README.md says how to write and record them.
With --cluster each step goes to another one of three nodes, and every second way meets a cluster whose third node is down.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from harness.exercised import ENDS_WITH_THE_PROCESS, ExercisedServer
from harness.recorder import SCRIPTS, compare, find_scripts
from harness.runner import Address
from harness.script import WAYS, Script, load_script

_LEVELS = "is about levels that one replica does not meet (cluster_scripts/ are about those of three)"
OTHERWISE = {
    "batch/message_batches": _LEVELS,
    "errors/consistency": _LEVELS,
    "errors/consistency_levels_that_do_not_fit": _LEVELS,
    "system_tables/schema_as_data": "reads what system tables say of other nodes",
    **dict.fromkeys((f"traces/{path.stem}" for path in (SCRIPTS / "traces").iterdir()), "tells what one node does alone"),
}
"""Scripts whose outcome is another one on three nodes, and why."""
THROUGH_ONE_NODE = {
    "counter/deleted_counters_go_on_counting": "shows counts that a deletion hides: another leader has others",
    "sai/create_sai_on_all_types": "tells of indexes in the order in which this node made them; others have them by name "
    "(SchemaKeyspace.fetchIndexes)",
    "user_aggregates/create_aggregate_forms_and_errors": "has an aggregate keep the function that was replaced at this node",
    "user_functions/describe_functions": "tells of aggregates in the order in which this node made them; others have them "
    "by name (SchemaKeyspace.fetchUDAs)",
}
"""Scripts whose steps all go through the first of three nodes, and why: the others of a Cassandra answer otherwise, too."""
_ADDRESSES = {"login": "auth_address", "guarded": "guarded_address", "captured": "captured_address"}
_TRUNCATES = re.compile(r"\btruncate\b", re.IGNORECASE)


def _name(path: Path) -> str:
    return path.relative_to(SCRIPTS).with_suffix("").as_posix()


@pytest.mark.parametrize("path", find_scripts(), ids=_name)
def test_script(path: Path, request: pytest.FixtureRequest, exercised: dict[Address, ExercisedServer]) -> None:
    script = load_script(path)
    assert all(step.is_prose or step.outcome for step in script.steps), f"{path} has steps that were never recorded"
    if script.server == "plain":
        targets = request.getfixturevalue("targets")
        if len(targets) > 1:
            name = _name(path)
            if name in OTHERWISE:
                pytest.skip(OTHERWISE[name])
            targets = targets[: 1 if _needs_all(script) else None]
            if name in THROUGH_ONE_NODE:
                targets = tuple(replace(cluster, addresses=cluster.addresses[:1]) for cluster in targets)
    else:
        targets = (request.getfixturevalue(_ADDRESSES[script.server]),)
    server = exercised.get(targets[0])
    name = path.relative_to(SCRIPTS).with_suffix("").as_posix()
    if server is not None and server.mode == "kill" and name not in ENDS_WITH_THE_PROCESS:
        way = WAYS[server.kills % len(WAYS)]
        changes = compare(script, *targets, interrupt=server.kill_and_start, interrupted=(way,))
    else:
        changes = compare(script, *targets)
    if changes:
        pytest.fail(f"the outcome differs from Cassandra's\n{changes}", pytrace=False)


def _needs_all(script: Script) -> bool:
    """Whether it can't do with a node down: TRUNCATE needs every one."""
    return any(_TRUNCATES.search(statement) for step in script.steps for statement in step.statements)
