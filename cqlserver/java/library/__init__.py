"""The part of Java's library that bodies may use, as tables: signature -> function (see classes.py).

lang.py         Object, String, StringBuilder, Iterable, Comparable, Class, System     boxes.py    Integer and its kin
mathematics.py  Math, BigInteger, BigDecimal                                             throwables.py  exceptions
collections.py  lists, sets, maps, Arrays, Collections, Objects                          cql.py     UDTValue, TupleValue, ...
misc.py         Date, UUID, ByteBuffer, InetAddress, Optional
"""

from collections.abc import Iterator

from cqlserver.java.classes import ClassSource


def all_sources() -> Iterator[ClassSource]:
    from cqlserver.java.library import (
        arrays,
        big_numbers,
        boxes,
        cql,
        lang,
        lists,
        maps,
        mathematics,
        misc,
        throwables,
    )

    for module in (lang, boxes, mathematics, big_numbers, lists, maps, arrays, throwables, cql, misc):
        yield from module.sources()
