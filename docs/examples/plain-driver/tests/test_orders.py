import pytest
from orders import Orders


@pytest.fixture
def orders(cassandra_session):
    return Orders(cassandra_session)


def test_the_newest_come_first(orders):
    for item in ("tea", "milk", "sugar"):
        orders.place("ann", item)
    assert orders.newest("ann", 2) == ["sugar", "milk"]


def test_customers_have_their_own(orders, cassandra):
    orders.place("bob", "tea")
    with cassandra.assert_queries(1, table="orders"):
        assert orders.newest("ann") == []


@pytest.mark.cassandra(data="orders.csv")
def test_orders_that_were_there(orders):
    assert orders.newest("cid") == ["coffee"]
