"""A few seconds of each fuzzer, and that they find what there is to find."""

from random import Random

import pytest
from hunt import histories, messages, statements
from hunt.hunting import Fuzzer, hunt
from hunt.operating import LOOK, OBSERVED, RESTORE, SNAPSHOT
from hunt.small_node import FLUSH

from cqlserver.audit.audit_log import AuditLog
from cqlserver.control import kept_state
from protocol.frames import Envelope

SECONDS = 8.0
SEED = 1
"""The same cases at each run: nobody fails by what another one left. `python -m hunt` looks where nobody has looked."""
FUZZERS: list[Fuzzer[object]] = [*messages.FUZZERS, *statements.FUZZERS, *histories.FUZZERS]  # type: ignore[list-item]


@pytest.mark.slow
@pytest.mark.parametrize("fuzzer", FUZZERS, ids=lambda fuzzer: fuzzer.name)
def test_nothing_is_found(fuzzer: Fuzzer[object]) -> None:
    count, found = hunt(fuzzer, SEED, SECONDS)
    assert count
    assert found is None, f"{found}"


def test_what_is_found_is_shrunk() -> None:
    def case(rng: Random) -> list[int]:
        return [rng.randrange(100) for _ in range(30)]

    fuzzer = Fuzzer("numbers", case, lambda parts: "it has a 7" if 7 in parts else None)
    _, found = hunt(fuzzer, 1, 10)
    assert found is not None
    assert found.parts == [7]
    assert 7 in case(Random(found.seed))


def test_what_operators_bring_back_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    insert, delete = "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'w')", "DELETE FROM ks.t WHERE k = 1"
    parts = [OBSERVED, insert, FLUSH, insert, SNAPSHOT, delete, LOOK, RESTORE]
    assert histories.fault(parts) is None

    async def nothing(*_arguments: object) -> None:
        pass

    monkeypatch.setattr(kept_state, "bring_back", nothing)
    assert "should be" in (histories.fault(parts) or "")


def test_what_listens_to_clients_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [OBSERVED, "SELECT * FROM ks.t"]
    assert statements.fault(parts) is None

    def fail(_log: AuditLog, _session: object, envelopes: list[Envelope], *_: object) -> None:
        if any(b"SELECT" in envelope[4] for envelope in envelopes):
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr(AuditLog, "served", fail)
    assert "a bug" in (statements.fault(parts) or "")
