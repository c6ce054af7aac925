"""Servers that are started at once: all of them, or none."""

import json
import sys
from pathlib import Path

import pytest

from cqlserver.launcher import StartError, launch_all

READY = json.dumps({"host": "127.0.0.1", "port": 1, "control_port": 2, "pid": 3})
WAITS = f"import sys; print({READY!r}, flush=True); sys.stdin.read(); open(sys.argv[1], 'w').close()"
FAILS = "import sys; sys.exit('it can not')"


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def test_all_are_there_when_all_are_ready(tmp_path: Path) -> None:
    ended = [tmp_path / name for name in ("one", "other")]
    servers = launch_all([command(WAITS, str(path)) for path in ended])
    assert [server.port for server in servers] == [1, 1]
    assert all(server.is_running for server in servers)
    for server in servers:
        server.kill()
        assert not server.is_running


def test_none_is_left_where_one_can_not_start(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    with pytest.raises(StartError, match=r"ended with status 1:\nit can not"):
        launch_all([command(WAITS, str(ended)), command(FAILS), command(WAITS, str(ended))])
    assert not ended.exists()  # they were killed, and have not come to their own end
