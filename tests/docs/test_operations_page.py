"""The commands that docs/operations.md shows work as they stand there."""

import re
from pathlib import Path

import pytest

import cqlserver
from cqlserver.nodetool import program

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "docs/operations.md"
SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text); INSERT INTO ks.t (k, v) VALUES (1, 'one')"
)


def test_every_command_of_the_page_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = re.findall(r"^    nodetool (.+?)(?:  .*)?$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) > 5
    assert any("-pwf" in command for command in commands)
    with cqlserver.start(data=tmp_path / "cqlserver-data", control_auth=True) as server:
        server.execute(SCHEMA)
        monkeypatch.chdir(tmp_path)
        for command in commands:
            if "-pwf" not in command:
                monkeypatch.setenv("CQLSERVER_CONTROL_TOKEN_FILE", "cqlserver-data/control-token")
            status = program.main(["-p", str(server.control_port), *command.split()])
            monkeypatch.delenv("CQLSERVER_CONTROL_TOKEN_FILE", raising=False)
            assert status == 0, (command, capsys.readouterr())
