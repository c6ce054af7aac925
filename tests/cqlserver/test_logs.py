"""The log's lines, levels by logger, and the stacks that SIGQUIT has told."""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest
import trio
import trio.testing

import cqlserver
from cqlserver.nodetool import program
from cqlserver.program import logs
from cqlserver.program.stacks import told


@pytest.fixture(autouse=True)
def levels_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level
    yield
    logs.set_level("", "", logs.level_name(before).replace("WARN", "WARNING"))
    root.setLevel(before)


def record(level: int, message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error is not None else None
    return logging.LogRecord("cqlserver", level, "/x/listener.py", 12, message, arguments, info)


@pytest.mark.parametrize(
    ("level", "name"), [(logging.WARNING, "WARN "), (logging.INFO, "INFO "), (logging.CRITICAL, "ERROR"), (5, "TRACE")]
)
def test_lines_are_laid_out_as_cassandras(level: int, name: str) -> None:
    line = logs.LineFormatter().format(record(level, "%d clients", 3))
    assert line.startswith(f"{name} [MainThread] 2")
    assert line.endswith(" listener.py:12 - 3 clients")


def test_json_lines_have_it_all() -> None:
    line = logs.JsonFormatter().format(record(logging.WARNING, "two\nlines %s", "x", error=ValueError("odd")))
    assert "\n" not in line
    told_ = json.loads(line)
    assert told_.pop("timestamp").endswith("+00:00")
    assert told_ == {
        "level": "WARN",
        "logger": "cqlserver",
        "thread": "MainThread",
        "file": "listener.py",
        "line": 12,
        "message": "two\nlines x",
        "exception": "ValueError: odd",
    }


def test_levels_are_set_by_logger_and_by_component() -> None:
    logging.getLogger().setLevel(logging.INFO)
    logs.set_level("some.logger", "debug", "info")
    logs.set_level("cql", "ERROR", "info")
    logs.set_level("other", "NOSUCH", "info")  # as in Cassandra
    found = logs.levels()
    assert next(iter(found.items())) == ("ROOT", "INFO")
    assert (found["some.logger"], found["cqlserver"], found["other"]) == ("DEBUG", "ERROR", "DEBUG")
    logs.set_level("some.logger", "", "info")
    assert "some.logger" not in logs.levels()
    logs.set_level("ROOT", "OFF", "info")
    assert logs.levels()["ROOT"] == "OFF"
    logs.set_level("", "", "info")
    assert logs.levels() == {"ROOT": "INFO"}


def test_stacks_have_all_threads_and_tasks() -> None:
    async def waits_for_ever() -> None:
        await trio.sleep_forever()

    async def main() -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits_for_ever)
            await trio.testing.wait_all_tasks_blocked()
            text = "".join(told())
            nursery.cancel_scope.cancel()
        return text

    text = trio.run(main)
    assert 'Thread "MainThread"' in text
    assert "waits_for_ever" in text
    assert "await trio.sleep_forever()" in text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGQUIT")
def test_a_server_tells_its_stacks_and_changes_its_levels(capsys: pytest.CaptureFixture[str]) -> None:
    with cqlserver.start(log_level="info") as server:
        port = str(server.control_port)
        assert program.main(["-p", port, "setlogginglevel", "cql", "DEBUG"]) == 0
        assert program.main(["-p", port, "getlogginglevels"]) == 0
        assert capsys.readouterr().out.splitlines()[1:] == [
            f"{'Logger Name':<50}{'Log Level':>10}", f"{'ROOT':<50}{'INFO':>10}", f"{'cqlserver':<50}{'DEBUG':>10}",
        ]  # fmt: skip
        os.kill(server.pid, signal.SIGQUIT)
        until = time.monotonic() + 30
        while "tell_on_quit" not in server.log and time.monotonic() < until:
            server.execute("SELECT key FROM system.local")  # it goes on
        assert "Startup complete" in server.log
        assert 'Task "' in server.log
