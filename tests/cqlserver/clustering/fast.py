"""A cluster of three in one process, on a clock by hand; nodes can be made deaf."""

import pytest

from benchmarks.replicated import Cluster, Part
from benchmarks.requests import INSERT, bigint, integer
from cluster.coordination.bundles import Bundles
from cluster.coordination.plans import WritePlan
from cqlserver.program.config import Config
from protocol import requests, responses
from protocol.errors import RequestError
from protocol.frames import EnvelopeDecoder
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import ThreadWorkers

VERSION = 4
ONE, QUORUM, ALL = 1, 4, 5


class Fast:
    """A cluster of three, and how many writes took the fast way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: Config = Config(data=None)) -> None:  # noqa: B008 - frozen
        self.fast = 0
        add = Bundles.add_write

        def counted(bundles: Bundles, plan: WritePlan, record: bytes, *write_type: str) -> None:
            self.fast += 1
            add(bundles, plan, record, *write_type)

        monkeypatch.setattr(Bundles, "add_write", counted)
        self.clock = ManualClock()
        self.disks = [FaultyDisk() for _ in range(3)]
        self.cluster = Cluster(3, self._environment, config)
        self.parts = self.cluster.parts
        self.insert_id = self.cluster.prepare(INSERT)

    def _environment(self, number: int) -> Environment:
        workers = ThreadWorkers(self.clock.monotonic)
        return Environment(self.clock, Rng(b"%d" % number), self.disks[number], workers)

    def send(self, part: Part, request: requests.Request) -> None:
        part.received.clear()
        part.session.receive(requests.encode(request, VERSION, 7))
        part.take_turn()
        self.cluster.run()

    def answer(self, part: Part) -> responses.Response:
        decoder = EnvelopeDecoder(VERSION, responses=True)
        ((version, flags, stream, opcode, body),) = decoder.receive_data(b"".join(part.received))
        assert stream == 7
        return responses.decode(version, flags, opcode, body).response

    def ask(self, part: Part, request: requests.Request) -> responses.Response:
        self.send(part, request)
        return self.answer(part)

    def execute(self, key: int, row: int = 1, level: int = QUORUM) -> requests.Execute:
        values = (bigint(key), integer(row), b"v", b"s")
        return requests.Execute(self.insert_id, None, requests.QueryOptions(consistency=level, values=values))

    def rows(self, part: Part, key: int, level: int = ALL) -> int:
        """How many a node finds, at a level."""
        text = f"SELECT c FROM load.t WHERE k = {key}"
        answer = self.ask(part, requests.Query(text, requests.QueryOptions(consistency=level)))
        assert isinstance(answer, responses.RowsResult), answer
        return answer.row_count

    def error(self, part: Part) -> RequestError:
        answer = self.answer(part)
        assert isinstance(answer, responses.Error), answer
        return answer.error
