"""What a recorded run is about, before it is executed where others have their data."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cqlserver.audit import comparing
from cqlserver.audit.comparing import NotOwn, is_recording, keyspaces_in, text_of
from cqlserver.audit.full_query_log import QueryRecord
from protocol.requests import Batch, BatchEntry, Query


def record(request: Query | Batch, keyspace: str | None = None) -> QueryRecord:
    return QueryRecord(4, 0, 0, 0, keyspace, request)


def keyspaces(monkeypatch: pytest.MonkeyPatch, *found: QueryRecord) -> dict[str, bool]:
    def records_of(paths: Sequence[Path]) -> Sequence[QueryRecord]:
        return found

    monkeypatch.setattr(comparing, "records_of", records_of)
    return keyspaces_in(Path("run"))


def test_all_keyspaces_are_found_and_those_that_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = (
        "SELECT * FROM system.local",
        "INSERT INTO a.t (k) VALUES (1)",
        "CREATE TABLE b.t (k int PRIMARY KEY)",
        "CREATE KEYSPACE c WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "TRUNCATE d.t",
        "DROP KEYSPACE e",
        "BEGIN BATCH INSERT INTO f.t (k) VALUES (1); UPDATE g.t SET v = 1 WHERE k = 1; APPLY BATCH",
        "INSERT INTO c.t (k) VALUES (1)",
        f"INSERT INTO long.t (k) VALUES ('{'x' * 70_000}')",
    )
    batch = Batch(0, (BatchEntry("DELETE FROM h.t WHERE k = 1"), BatchEntry("DELETE FROM t WHERE k = 1")))
    found = keyspaces(monkeypatch, *(record(Query(text)) for text in texts), record(batch, "i"))
    assert sorted(found) == [*"abcdefghi", "long"]
    assert [name for name, is_made in found.items() if is_made] == ["c"]
    assert text_of(record(batch)) == "DELETE FROM h.t WHERE k = 1; DELETE FROM t WHERE k = 1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CREATE ROLE a", "roles are not a run's own"),
        ("GRANT SELECT ON a.t TO b", "roles are not a run's own"),
        ("ALTER USER a NOSUPERUSER", "roles are not a run's own"),
        ("INSERT INTO a.t (k) VALUES (" + "x" * 70_000, "nobody can tell what it is about"),
    ],
)
def test_a_run_that_may_change_what_is_not_its_own_is_refused(text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotOwn, match=told):
        keyspaces(monkeypatch, record(Query(text)))


def test_recordings_are_known_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "schema.cql").write_text("")
    assert not is_recording(tmp_path)
    (tmp_path / "1.binlog").write_text("")
    assert is_recording(tmp_path)
    assert is_recording(tmp_path / "1.binlog")
    assert not is_recording(tmp_path / "schema.cql")
