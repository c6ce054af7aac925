"""What docs/operations.md shows works as it stands there: commands, addresses, settings, options."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

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


def test_every_address_of_the_page_answers_and_top_shows_what_it_shows(tmp_path: Path) -> None:
    addresses = re.findall(r"curl http://127.0.0.1:7199(/[a-z./]+)", PAGE.read_text())
    assert {"/metrics", "/health/live", "/health/ready", "/health/cluster", "/openapi.json"} <= set(addresses)
    with cqlserver.start() as server:
        for address in addresses:
            with urlopen(f"http://127.0.0.1:{server.control_port}{address}") as answer:
                assert answer.status == 200, address
        home = str(PAGE.parents[1])
        environment = {**os.environ, "PYTHONPATH": home, "CQLSERVER_CONTROL_PORT": str(server.control_port)}
        command = [sys.executable, "-P", "-m", "cqlserver", "top", "--once"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "compactions" in done.stdout.lower()


def test_the_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    (block,) = re.findall(r"^    audit_logging_options:\n(?:      .*\n)+", PAGE.read_text(), re.MULTILINE)
    settings = yaml.safe_load(block.replace("/var/log/cassandra/audit", str(tmp_path / "audit")))
    with cqlserver.start(settings=settings) as server:
        told = server.call("audit_log")
    assert told["enabled"]
    assert told["excluded_categories"] == "QUERY,PREPARE"


def test_the_options_of_the_page_are_options() -> None:
    from cqlserver.__main__ import _arguments

    known = _arguments().format_help()
    told = set(re.findall(r"`(--(?:log|query)-[a-z-]+)", PAGE.read_text()))
    assert {"--log-file", "--log-file-size", "--log-file-days", "--log-files-size", "--log-table", "--log-format"} <= told
    assert [option for option in told if option not in known] == []
