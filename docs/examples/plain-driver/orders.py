"""Orders in Cassandra, with the plain driver."""


class Orders:
    def __init__(self, session):
        self._session = session
        self._insert = session.prepare("INSERT INTO orders (customer, placed, item) VALUES (?, now(), ?)")
        self._newest = session.prepare("SELECT item FROM orders WHERE customer = ? LIMIT ?")

    def place(self, customer, item):
        self._session.execute(self._insert, (customer, item))

    def newest(self, customer, count=10):
        return [row.item for row in self._session.execute(self._newest, (customer, count))]
