import pytest
from cassandra.cqlengine import connection, management
from models import Person


@pytest.fixture(autouse=True)
def models(cassandra_session, cassandra_keyspace, monkeypatch):
    monkeypatch.setenv("CQLENG_ALLOW_SCHEMA_MANAGEMENT", "1")
    # again for each test, since cqlengine changes the session, and the next test gets it as it was; never unregistered,
    # since that would close it
    connection.register_connection("tests", session=cassandra_session, default=True)
    Person.__keyspace__ = cassandra_keyspace
    management.sync_table(Person, keyspaces=[cassandra_keyspace])
