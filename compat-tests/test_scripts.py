"""Replays every compat script against a server: its outcomes must be those recorded from Cassandra.

Each script is sent all four ways: simple and prepared, protocol v4 and v5. README.md says how to write and record them.
"""

from pathlib import Path

import pytest
from harness.exercised import ExercisedServer
from harness.recorder import SCRIPTS, compare, find_scripts
from harness.runner import Address
from harness.script import WAYS, load_script


@pytest.mark.parametrize("path", find_scripts(), ids=lambda path: path.relative_to(SCRIPTS).with_suffix("").as_posix())
def test_script(path: Path, request: pytest.FixtureRequest, exercised: dict[Address, ExercisedServer]) -> None:
    script = load_script(path)
    fixtures = {"plain": "server_address", "login": "auth_address", "guarded": "guarded_address"}
    server_address: Address = request.getfixturevalue(fixtures[script.server])
    assert all(step.is_prose or step.outcome for step in script.steps), f"{path} has steps that were never recorded"
    server = exercised.get(server_address)
    if server is not None and server.mode == "kill":
        way = WAYS[server.kills % len(WAYS)]
        changes = compare(script, server_address, server.kill_and_start, (way,))
    else:
        changes = compare(script, server_address)
    if changes:
        pytest.fail(f"the outcome differs from Cassandra's\n{changes}", pytrace=False)
