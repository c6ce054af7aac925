"""Models of cqlengine, the driver's object mapper."""

from cassandra.cqlengine import columns
from cassandra.cqlengine.models import Model


class Person(Model):
    __table_name__ = "people"
    id = columns.Integer(primary_key=True)
    name = columns.Text(index=False)
    tags = columns.Set(columns.Text)
