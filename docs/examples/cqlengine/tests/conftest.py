import pytest
from cassandra.cqlengine import connection, management
from models import Person


@pytest.fixture(autouse=True)
def models(cassandra_session, cassandra_keyspace, monkeypatch):
    monkeypatch.setenv("CQLENG_ALLOW_SCHEMA_MANAGEMENT", "1")
    connection.register_connection("tests", session=cassandra_session, default=True)
    Person.__keyspace__ = cassandra_keyspace
    management.sync_table(Person, keyspaces=[cassandra_keyspace])
    yield
    connection.unregister_connection("tests")
