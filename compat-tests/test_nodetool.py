"""nodetool prints what Cassandra's prints: recorded cases (nodetool/), run against a server of ours."""

import contextlib
import io
from pathlib import Path

import pytest
from nodetool import cases

import cqlserver
from cqlserver.nodetool import program
from cqlserver.nodetool.commands import COMMANDS


def our_tool(port: int) -> cases.Run:
    def run(words: list[str]) -> tuple[str, str, int]:
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            status = program.main(["-p", str(port), *words])
        return out.getvalue(), error.getvalue(), status

    return run


@pytest.mark.parametrize("file", cases.files(), ids=lambda file: file.stem)
def test_recorded_outcomes(file: Path, tmp_path: Path) -> None:
    recorded = cases.read(file)
    assert recorded
    with cqlserver.start(data=tmp_path / "data", config=cases.maybe_config(file)) as server:
        for case, outcome in cases.run(file, recorded, server.execute, our_tool(server.control_port)):
            assert case.outcome is not None, "record it"
            assert (case.command, *outcome) == (case.command, *case.outcome)


def test_every_command_has_its_help_recorded() -> None:
    pages = [case for file in cases.HERE.glob("help*.txt") for case in cases.read(file)]
    recorded = {case.words[1] for case in pages if len(case.words) > 1}
    names = {name.split()[0] for name in COMMANDS} - {"repair_admin"}  # not all of its commands are there
    assert names <= recorded
