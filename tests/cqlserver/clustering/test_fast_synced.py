"""The fast ways with commitlog_sync batch and group: nothing that says that something is kept leaves before the disk has
it."""

from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.replicated import Part
from benchmarks.requests import INSERT, bigint, integer
from cqlserver.program.config import Config
from protocol import requests, responses
from protocol.errors import WriteFailure
from storage.commitlog.log import CommitLogFailed
from tests.cqlserver.clustering.fast import ALL, ONE, QUORUM, Fast

SYNCED = Config(data=Path("/simulated"), commitlog_sync="batch")


class Synced:
    """A cluster whose logs are synced when the test says so (`sync`), as a listener does it beside the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fast = Fast(monkeypatch, SYNCED)
        self.parts = self.fast.parts
        self.cas_id = self.fast.cluster.prepare(INSERT + " IF NOT EXISTS")
        for part in self.parts:
            for level in (ONE, QUORUM, ALL):
                self.fast.ask(part, self.fast.execute(1, level=level))
        self.wanted: dict[int, None] = {}
        for number, part in enumerate(self.parts):
            part.node.want_sync = lambda number=number: self.wanted.setdefault(number)  # type: ignore[misc]
        self.fast.fast = 0

    def sync(self, *numbers: int) -> None:
        """What the listeners of these nodes do when they are asked to, and all that follows from it without another sync."""
        for number in numbers:
            self.wanted.pop(number, None)
            node = self.parts[number].node
            assert node.commit_log is not None
            assert node.after_sync is not None
            with suppress(CommitLogFailed):
                node.commit_log.sync()
            node.after_sync()
        for part in self.parts:
            part.take_turn()
        self.fast.cluster.run()

    def is_answered(self, part: Part) -> bool:
        part.take_turn()
        return bool(b"".join(part.received))


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Synced:
    return Synced(monkeypatch)


def test_a_write_is_told_when_a_quorum_of_disks_has_it(synced: Synced) -> None:
    first = synced.parts[0]
    synced.fast.send(first, synced.fast.execute(2))
    assert synced.fast.fast == 1
    assert list(synced.wanted) == [0, 1, 2]  # it went out before it was synced here
    assert not synced.is_answered(first)
    synced.sync(0)
    assert not synced.is_answered(first)
    synced.sync(1)
    assert isinstance(synced.fast.answer(first), responses.VoidResult)


def test_others_do_not_make_up_for_the_own_disk(synced: Synced) -> None:
    """Two others have it; the local one counts when it has, too, and nothing leaves before."""
    first = synced.parts[0]
    synced.fast.send(first, synced.fast.execute(3))
    synced.sync(1, 2)
    assert not synced.is_answered(first)
    synced.sync(0)
    assert isinstance(synced.fast.answer(first), responses.VoidResult)


def test_a_conditional_write_needs_synced_promises_and_acceptances(synced: Synced) -> None:
    first = synced.parts[0]
    values = (bigint(4), integer(1), b"v", b"s")
    options = requests.QueryOptions(consistency=QUORUM, values=values)
    synced.fast.send(first, requests.Execute(synced.cas_id, None, options))
    rounds = 0
    while not synced.is_answered(first):
        synced.sync(0, 1, 2)
        rounds += 1
        assert rounds < 20
    assert rounds >= 3  # promised, accepted, committed
    answer = synced.fast.answer(first)
    assert isinstance(answer, responses.RowsResult)
    assert answer.content[4:5] == b"\x01"


def test_a_disk_that_fails_keeps_its_word_back_and_its_clients_are_refused(synced: Synced) -> None:
    first = synced.parts[0]
    synced.fast.send(first, synced.fast.execute(5, level=ALL))
    synced.fast.disks[0].fail("sync")
    synced.sync(1, 2)
    synced.sync(0)
    answer = synced.fast.answer(first)
    assert isinstance(answer, responses.Error)
    assert isinstance(answer.error, WriteFailure), answer.error
