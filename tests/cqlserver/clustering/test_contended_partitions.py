"""Which partitions conditional writes are contended for, while somebody samples: told by the nodes that coordinate them."""

import pytest

from benchmarks.replicated import Part
from cqlserver.metrics.profile import Profile
from cqlserver.metrics.samplers import CONTENTIONS
from protocol import requests, responses
from protocol.errors import WriteTimeout
from tests.cqlserver.clustering.fast import QUORUM, VERSION, Fast


class Sampled:
    """A cluster of three whose nodes sample contentions of load.t."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fast = Fast(monkeypatch)
        self.parts = self.fast.parts
        for part in self.parts:
            node = part.node
            node.sessions[part.session] = None
            node.profile = Profile(self.fast.clock.monotonic, node.engine.stores.__getitem__)
            node.profile.begin([node.schema.keyspaces["load"].tables["t"]], [CONTENTIONS], 256, 1_000)
            node.choose_paths()

    def send(self, part: Part, text: str, level: int = QUORUM) -> None:
        """Nobody has worked on it yet when this returns."""
        options = requests.QueryOptions(consistency=level)
        part.received.clear()
        part.session.receive(requests.encode(requests.Query(text, options), VERSION, 7))
        part.take_turn()

    def run(self) -> None:
        """Until all are answered."""
        self.fast.cluster.run()
        for _ in range(200):
            if all(b"".join(part.received) or not part.pending for part in self.parts):
                return
            self.fast.clock.advance(0.01)
            self.fast.cluster.tick()
        raise AssertionError("somebody is never answered")

    def contentions(self, part: Part) -> list[tuple[str, str, int]]:
        profile = part.node.profile
        assert profile is not None
        found = profile.finish([part.node.schema.keyspaces["load"].tables["t"]], [CONTENTIONS], 10)[CONTENTIONS]
        return [sample[:3] for sample in found]


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> Sampled:
    return Sampled(monkeypatch)


def is_applied(answer: responses.Response) -> bool:
    assert isinstance(answer, responses.RowsResult), answer
    return answer.content[4:5] == b"\x01"


def test_writes_through_two_nodes_that_meet_are_told_with_their_partition(sampled: Sampled) -> None:
    fast, (first, second, third) = sampled.fast, sampled.parts
    for part in (first, second):
        sampled.send(part, "INSERT INTO load.t (k, c, s) VALUES (7, 1, 'x') IF NOT EXISTS")
    sampled.run()
    assert sorted(is_applied(fast.answer(part)) for part in (first, second)) == [False, True]
    told = [*sampled.contentions(first), *sampled.contentions(second)]
    assert told
    assert {sample[:2] for sample in told} == {("load.t", "7")}
    assert sum(count for *_, count in told) >= 1
    assert sampled.contentions(third) == []


def test_who_meets_nobody_is_not_told(sampled: Sampled) -> None:
    for number, part in enumerate(sampled.parts):
        sampled.send(part, f"INSERT INTO load.t (k, c, s) VALUES ({number}, 1, 'x') IF NOT EXISTS")
    sampled.run()
    assert all(is_applied(sampled.fast.answer(part)) for part in sampled.parts)
    assert [sampled.contentions(part) for part in sampled.parts] == [[], [], []]


def test_a_write_that_gives_up_is_told_too(sampled: Sampled) -> None:
    fast, (first, second, _) = sampled.fast, sampled.parts
    for part in (first, second):
        sampled.send(part, "INSERT INTO load.t (k, c, s) VALUES (7, 1, 'x') IF NOT EXISTS")
    fast.cluster.run()
    loser = next(part for part in (first, second) if not b"".join(part.received))
    fast.cluster.deaf = {part.endpoint: None for part in sampled.parts if part is not loser}
    fast.clock.advance(2)
    fast.cluster.tick()
    error = fast.error(loser)
    assert isinstance(error, WriteTimeout)
    assert error.write_type == "CAS"
    assert sampled.contentions(loser) == [("load.t", "7", 1)]


def test_serial_reads_that_meet_writes_are_told(sampled: Sampled) -> None:
    first, second, _ = sampled.parts
    sampled.send(first, "INSERT INTO load.t (k, c, s) VALUES (8, 1, 'x') IF NOT EXISTS")
    sampled.send(second, "SELECT s FROM load.t WHERE k = 8", level=8)
    sampled.run()
    told = [*sampled.contentions(first), *sampled.contentions(second)]
    assert told
    assert {sample[:2] for sample in told} == {("load.t", "8")}
