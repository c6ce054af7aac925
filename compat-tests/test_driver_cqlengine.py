"""cqlengine, the Python driver's object mapper: models kept, queried, batched and compared-and-set."""

import datetime
import uuid
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from cassandra.cluster import Cluster
from cassandra.cqlengine import CQLEngineException, ValidationError, columns, connection
from cassandra.cqlengine.functions import MaxTimeUUID, MinTimeUUID, Token
from cassandra.cqlengine.management import (
    create_keyspace_simple,
    drop_keyspace,
    drop_table,
    sync_table,
    sync_type,
)
from cassandra.cqlengine.models import Model
from cassandra.cqlengine.named import NamedTable
from cassandra.cqlengine.query import (
    BatchQuery,
    BatchType,
    ContextQuery,
    DoesNotExist,
    LWTException,
    MultipleObjectsReturned,
)
from cassandra.cqlengine.usertype import UserType
from cassandra.util import uuid_from_time
from clients.python_driver import connected, unique
from harness.runner import Address

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Address_(UserType):  # type: ignore[misc]
    """A type of which the model holds values."""

    __type_name__ = "address"
    street = columns.Text()
    zip = columns.Integer()


class User(Model):  # type: ignore[misc]
    """A column of every kind."""

    __table_name__ = "users"
    __options__ = {"comment": "users", "gc_grace_seconds": 1000}  # noqa: RUF012
    id = columns.UUID(primary_key=True, default=uuid.uuid4)
    name = columns.Text(required=True)
    age = columns.Integer()
    height = columns.Double()
    balance = columns.Decimal()
    born = columns.Date()
    seen = columns.DateTime()
    active = columns.Boolean(default=True)
    tags = columns.Set(columns.Text)
    scores = columns.List(columns.Integer)
    labels = columns.Map(columns.Text, columns.Integer)
    home = columns.UserDefinedType(Address_)
    picture = columns.Blob()


class Event(Model):  # type: ignore[misc]
    """Partitions of many rows."""

    __table_name__ = "user_events"
    user = columns.Integer(partition_key=True)
    day = columns.Integer(partition_key=True)
    at = columns.TimeUUID(primary_key=True, clustering_order="DESC")
    kind = columns.Text(static=True)
    text = columns.Text(index=False)


class Counted(Model):  # type: ignore[misc]
    """Counters."""

    __table_name__ = "counted"
    page = columns.Text(primary_key=True)
    hits = columns.Counter()
    misses = columns.Counter()


@pytest.fixture(scope="module", autouse=True)
def engine(server_address: Address) -> Iterator[str]:
    """cqlengine holds its connection, and the models their keyspace, as globals: this module's alone."""
    name = unique("cqlengine")
    with warnings.catch_warnings(), connected(server_address, 5) as session:
        warnings.simplefilter("ignore")
        connection.register_connection("compat", session=session, default=True)
        create_keyspace_simple(name, replication_factor=1)
        for model in (User, Event, Counted):
            model.__keyspace__ = name
        sync_type(name, Address_)
        for model in (User, Event, Counted):
            sync_table(model)
        yield name
        drop_keyspace(name)
        connection.unregister_connection("compat")


def test_created_and_found_again() -> None:
    values: dict[str, Any] = {
        "name": "Ann",
        "age": 41,
        "height": 1.75,
        "balance": Decimal("12.30"),
        "born": datetime.date(1983, 2, 1),
        "seen": datetime.datetime(2024, 2, 29, 12, 0, 0, 5000),
        "tags": {"a", "b"},
        "scores": [3, 1, 2],
        "labels": {"x": 1},
        "home": Address_(street="Main", zip=1),
        "picture": b"\x00\xff",
    }
    made = User.create(**values)
    found = User.get(id=made.id)
    assert {name: getattr(found, name) for name in values} == values
    assert found.active
    assert dict(found) == dict(made)


def test_updated_saved_deleted() -> None:
    user = User.create(name="Bob", tags={"old"}, scores=[1])
    user.update(age=30, name="Bobby")
    user.tags.add("new")
    user.tags.remove("old")
    user.scores.append(2)
    user.labels["k"] = 7
    user.save()
    found = User.objects(id=user.id).first()
    assert (found.name, found.age, found.tags, found.scores, found.labels) == ("Bobby", 30, {"new"}, [1, 2], {"k": 7})
    User.objects(id=user.id).update(scores__append=[3], tags__add={"more"}, labels__update={"z": 1}, age=None)
    found = User.get(id=user.id)
    assert (found.scores, found.tags, found.labels, found.age) == ([1, 2, 3], {"new", "more"}, {"k": 7, "z": 1}, None)
    found.delete()
    with pytest.raises(DoesNotExist):
        User.get(id=user.id)


def test_required_and_typed_columns_are_checked_by_the_client() -> None:
    with pytest.raises(ValidationError):
        User.create(age=1)
    with pytest.raises(ValidationError):
        User.create(name="x", age="not a number")


def at(second: int) -> uuid.UUID:
    return uuid_from_time(1_700_000_000 + second, node=1, clock_seq=1)


@pytest.fixture(scope="module")
def events(engine: str) -> None:
    with BatchQuery(batch_type=BatchType.Unlogged) as batch:
        for user in range(3):
            for second in range(20):
                Event.batch(batch).create(user=user, day=1, at=at(second), kind=f"kind {user}", text=f"{user}:{second}")


def test_filtered(events: None) -> None:
    query = Event.objects(user=1, day=1)
    assert query.count() == 20
    assert [event.text for event in query.limit(3)] == ["1:19", "1:18", "1:17"]
    assert [event.text for event in query.order_by("at").limit(2)] == ["1:0", "1:1"]
    assert [event.text for event in query.filter(at__gt=at(16))] == ["1:19", "1:18", "1:17"]
    assert [event.text for event in query.filter(at__in=[at(3), at(5)])] == ["1:5", "1:3"]
    start = datetime.datetime(2023, 11, 14, 22, 13, 20)
    window = query.filter(at__gte=MinTimeUUID(start), at__lt=MaxTimeUUID(start + datetime.timedelta(seconds=2)))
    assert [event.text for event in window] == ["1:2", "1:1", "1:0"]
    assert query.first().kind == "kind 1"
    assert sorted(query.values_list("text", flat=True))[:2] == ["1:0", "1:1"]
    assert query.only(["text"]).limit(1).get().text == "1:19"
    with pytest.raises(MultipleObjectsReturned):
        query.get()
    assert Event.objects(user__in=[0, 2], day=1).count() == 40
    assert Event.objects.filter(text="1:4").allow_filtering().get().at == at(4)


def test_distinct_and_tokens(events: None) -> None:
    assert sorted((e.user, e.day) for e in Event.objects.distinct(["user", "day"])) == [(0, 1), (1, 1), (2, 1)]
    first = next(iter(Event.objects.limit(1)))
    rest = Event.objects.filter(pk__token__gt=Token(first.user, first.day))
    assert {event.user for event in rest} == {0, 1, 2} - {first.user}


def test_all_rows_are_paged(events: None) -> None:
    assert len(list(Event.objects.fetch_size(7).limit(None))) == 60


def test_deleted_by_query(events: None) -> None:
    Event.create(user=9, day=9, at=at(1), text="x")
    Event.create(user=9, day=9, at=at(2), text="y")
    Event.objects(user=9, day=9, at=at(1)).delete()
    assert [event.text for event in Event.objects(user=9, day=9)] == ["y"]
    Event.objects(user=9, day=9).delete()
    assert Event.objects(user=9, day=9).count() == 0


def test_counters() -> None:
    Counted.objects(page="a").update(hits=5)
    Counted.objects(page="a").update(hits=-2, misses=1)
    found = Counted.get(page="a")
    assert (found.hits, found.misses) == (3, 1)


@pytest.mark.parametrize("kind", [None, BatchType.Unlogged])
def test_batches(kind: str | None) -> None:
    ids = [uuid.uuid4() for _ in range(3)]
    with BatchQuery(batch_type=kind) as batch:
        for number, key in enumerate(ids):
            User.batch(batch).create(id=key, name=f"batch {number}")
        User.objects(id=ids[0]).batch(batch).update(age=5)
    assert [User.get(id=key).name for key in ids] == ["batch 0", "batch 1", "batch 2"]
    with BatchQuery() as batch:
        for key in ids:
            User.objects(id=key).batch(batch).delete()
    assert User.objects(id__in=ids).count() == 0


def test_if_not_exists_and_conditions() -> None:
    key = uuid.uuid4()
    User.if_not_exists().create(id=key, name="first")
    with pytest.raises(LWTException) as caught:
        User.if_not_exists().create(id=key, name="second")
    assert caught.value.existing["name"] == "first"
    assert caught.value.existing["[applied]"] is False
    User.objects(id=key).iff(name="first").update(name="changed")
    with pytest.raises(LWTException) as caught:
        User.objects(id=key).iff(name="first").update(name="again")
    assert caught.value.existing == {"[applied]": False, "name": "changed"}
    with pytest.raises(LWTException):
        User.objects(id=uuid.uuid4()).if_exists().update(name="nobody")
    User.objects(id=key).if_exists().delete()
    with pytest.raises(DoesNotExist):
        User.get(id=key)


def test_ttl_and_timestamp() -> None:
    key = uuid.uuid4()
    User.ttl(500).create(id=key, name="brief")
    (row,) = connection.execute(f"SELECT ttl(name) AS t FROM {User.column_family_name()} WHERE id = {key}")
    assert 400 < row["t"] <= 500
    stamped = datetime.datetime(2030, 1, 1)
    User.objects(id=key).timestamp(stamped).update(name="later")
    User.objects(id=key).update(name="earlier")
    assert User.get(id=key).name == "later"


def test_sync_table_again_adds_columns(engine: str) -> None:
    class Growing(Model):  # type: ignore[misc]
        __keyspace__ = engine
        __table_name__ = "growing"
        k = columns.Integer(primary_key=True)

    class Grown(Model):  # type: ignore[misc]
        __keyspace__ = engine
        __table_name__ = "growing"
        __options__ = {"compaction": {"class": "LeveledCompactionStrategy"}}  # noqa: RUF012
        k = columns.Integer(primary_key=True)
        v = columns.Text()

    cluster: Cluster = connection.get_cluster()
    sync_table(Growing)
    sync_table(Growing)
    assert set(cluster.metadata.keyspaces[engine].tables["growing"].columns) == {"k"}
    sync_table(Grown)
    table = cluster.metadata.keyspaces[engine].tables["growing"]
    assert set(table.columns) == {"k", "v"}
    assert "LeveledCompactionStrategy" in table.options["compaction"]["class"]
    Grown.create(k=1, v="x")
    assert [row["v"] for row in NamedTable(engine, "growing").objects.all()] == ["x"]
    drop_table(Grown)
    assert "growing" not in cluster.metadata.keyspaces[engine].tables


def test_a_model_in_another_keyspace(engine: str) -> None:
    other = unique("cqlengine_other")
    create_keyspace_simple(other, replication_factor=1)
    try:
        with ContextQuery(Counted, keyspace=other) as counted:
            sync_table(counted)
            counted.objects(page="b").update(hits=1)
            assert counted.get(page="b").hits == 1
        with pytest.raises(DoesNotExist):
            Counted.get(page="b")
    finally:
        drop_keyspace(other)


def test_a_bad_query_is_refused_by_the_client() -> None:
    with pytest.raises(CQLEngineException):
        list(User.objects.filter(age=3))
