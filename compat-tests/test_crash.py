"""kill -9 at random moments under load: after the restart every acknowledged write is there.

36 kills over the three modes of commitlog_sync, 102 with KILLS=all; of three data folders one has all in the log, one is
flushed and one flushed and compacted all the time (storage/exercise.py). The killed process leaves what it wrote in the
operating system's hands; that a machine's crash loses nothing that was synced is tested with a forgetting disk.
CRASH_SEED repeats the choices of a run (not its timing).
"""

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from harness.crash_load import INITIAL, SCHEMA, WRITERS, Model, found_states
from harness.exercised import EXERCISE_VARIABLE

import cqlserver
from protocol.client import connect
from protocol.responses import Error

MODES = {
    "periodic": "commitlog_sync: periodic\ncommitlog_sync_period: 50ms\n",
    "group": "commitlog_sync: group\ncommitlog_sync_group_window: 5ms\n",
    "batch": "commitlog_sync: batch\n",
}
LOAD_SECONDS_MAX = 0.2
KILLS, KILLS_PER_FOLDER = (34, 12) if os.environ.get("KILLS") == "all" else (12, 4)
"""Of a mode; of a data folder, then there is a new one: each start replays all that the kills before it left."""
STORAGE = ("", "flush", "compact")
SEGMENT = "commitlog_segment_size: 1MiB\n"  # small, so that kills meet the change of segments


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_acknowledged_write_survives_kill(
    mode: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.config.getoption("--contact"):
        pytest.skip("needs a server of its own, to kill")
    settings, kills = MODES[mode], KILLS
    seed = os.environ.get("CRASH_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"CRASH_SEED={seed}")
    rng = random.Random(f"{seed} {mode}")
    config = tmp_path / "cassandra.yaml"
    config.write_text(settings + SEGMENT)
    acknowledged = left = 0
    sstables = Counter[str]()
    for kill in range(kills):
        if not left:
            model, left = Model(), min(KILLS_PER_FOLDER, kills - kill)
            storage = STORAGE[kill // KILLS_PER_FOLDER % len(STORAGE)]
            monkeypatch.setenv(EXERCISE_VARIABLE, storage)
        where = f"CRASH_SEED={seed} {mode} {storage}, kill {kill}"
        data = tmp_path / f"data-{kill + left}"
        with cqlserver.start(data=data, config=config) as server:
            address = (server.host, server.port)
            if model.histories:
                _compare(model, address, where)
            else:
                _make_schema(address)
            acknowledged += _load_and_kill(server, address, model, rng, where)
        left -= 1
        if not left:
            with cqlserver.start(data=data, config=config) as server:
                _compare(model, (server.host, server.port), where)
            sstables[storage] += _newest_sstable(data)
    print(f"{mode}: {kills} kills, {acknowledged} acknowledged requests, SSTables made: {dict(sstables)}")
    assert sstables["flush"]
    assert sstables["compact"]
    assert acknowledged > kills  # a busy machine answers few


def _newest_sstable(data: Path) -> int:
    """The number of the newest SSTable of the rows."""
    numbers = [int(path.name.split("-")[1]) for path in data.glob("data/crash/rows-*/*-Data.db")]
    return max(numbers, default=0)


def _compare(model: Model, address: tuple[str, int], where: str) -> None:
    found = found_states(address)
    wrong = model.differences(found, INITIAL)
    assert not wrong, f"{where}: " + "\n".join(wrong)
    assert _broken_pairs(found) == [], where


def _make_schema(address: tuple[str, int]) -> None:
    with connect(*address, timeout_s=20) as connection:
        for statement in SCHEMA:
            response = connection.query(statement).response
            assert not isinstance(response, Error), f"{statement}: {response}"


def _load_and_kill(server: cqlserver.Server, address: tuple[str, int], model: Model, rng: random.Random, seed: str) -> int:
    """How many requests were acknowledged."""
    writers = [writer(model, address, number, seed) for number, writer in enumerate(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.begin()
    time.sleep(rng.uniform(0, LOAD_SECONDS_MAX))
    log = server.log
    server.kill()
    for writer in writers:
        writer.join(20)
        assert not writer.is_alive(), writer.name
        if writer.failure is not None:
            raise AssertionError(f"{seed}: {writer.failure}\n{log}") from writer.failure
    return sum(writer.acknowledged for writer in writers)


def _broken_pairs(found: dict[tuple[str, object], object]) -> list[object]:
    """Pairs of a logged batch of which one half is there."""
    pairs = {key: value for (table, key), value in found.items() if table == "pairs"}
    return [key for key, value in pairs.items() if isinstance(key, int) and pairs.get(key ^ 1) != value]
