"""Literals in odd forms for columns of all types: written, read back; in JSON too."""

import json
from random import Random

from protocol.types import CqlType
from twins.statement import Bound, Clause, Item, Statement
from twins.tables import Column, Table
from twins.values import random_type, random_value

ODD = (
    """
0|1|-1|00|-0|007|2147483647|2147483648|-2147483648|-2147483649|127|128|-129|32767|32768|9223372036854775807
9223372036854775808
1.|1.0|-1.5|1e3|1E-3|1.5e+10|1e400|-1e400|0.1e-400|1e39|NaN|nan|NAN|-NaN|Infinity|-Infinity|infinity|-infinity|Inf
true|false|TRUE|False|null|NULL|'true'|'TRUE'|'1'|'0'|''|' '|'a'|'é'|'it''s'|$$a$$|$$it's$$|$$$$|' 1'|'1 '|'+1'|'1.0'|'0x1'
0x|0x0|0x00|0xFF|0xff|0X0a|0x0g|'0x00'|0x0000000000000001|0x00000001
'127.0.0.1'|'127.1'|'::1'|'::'|'::ffff:1.2.3.4'|'256.0.0.1'|'1.2.3'|'localhost'|'1'|'2001:DB8::1'|'fe80::1%1'
'1.2.3.4 '|'01.02.03.04'
a0000000-0000-4000-8000-000000000001|A0000000-0000-4000-8000-000000000001|'a0000000-0000-4000-8000-000000000001'
50554d6e-29bb-11e5-b345-feff819cdc9f|'50554d6e-29bb-11e5-b345-feff819cdc9f'|'50554d6e29bb11e5b345feff819cdc9f'|'5-2-1-b-f'
'2020-01-01'|'2020-1-1'|'2020-13-01'|'2020-02-30'|'1969-12-31'|'-5877641-06-23'|'5881580-07-11'|'99999-01-01'
'0000-01-01'|'20200101'
'2020-01-01 10:00'|'2020-01-01T10:00:00Z'|'2020-01-01 10:00:00+0100'|'2020-01-01 10:00:00.123+01:00'
'2020-01-01 10:00:00.1234'
'2020-01-01 10:00:00 UTC'|'2020-01-01T10:00:00.000GMT+01:00'|'2020-01-01T25:00:00'|'2020-01-01+0000'|'1577836800000'
'2020-01-01T10:00+01'
'10:00'|'10:00:00'|'10:00:00.123456789'|'10:00:00.1234567891'|'24:00:00'|'1:2:3'|'10:00:00.1'|'-1:00:00'
'23:59:59.999999999'|'10:60:00'
1h|1h30m|-1h|1y2mo3w4d5h6m7s8ms9us10ns|1µs|P1Y2M|PT1H|P1W|P0001-02-03T04:05:06|'1h'|1d1d|1m1h|P1Y2D|-P1D|99999999999d
1H|1Mo|2147483648mo|0s
[]|{}|()|[1]|[1,2]|{1}|{1,2}|{1:2}|{'a':1}|{1,1}|{1:1,1:2}|(1)|(1,2)|(1,'a')|[null]|{null}|{1:null}|{null:1}|(null)
(null,null)|[[1]]|{{1}}|[1.5,2]
{x:1}|{x:1,y:2}|{x:null}|{z9:1}|{x:1,x:2}|{"x":1}|{'x':1}|['a']|[1.0,2.0]|[NaN]|[1,'a']|[true]|{1:{2}}
now()|uuid()|1+1|1+1.5|-(1)|(int)1|(text)'a'|(bigint)1|cast(1 as text)|currentdate()|to_date(now())|'a'+'b'|1/0|1.0/0
text_as_blob('a')|5 % 3|- 5
""".strip()
    .replace("\n", "|")
    .split("|")
)

JSON = (
    """
1|-1|1.0|1.5|1e3|1E400|"1"|"1.5"|"a"|""|true|false|"true"|null|[]|[1]|[1,2]|["1"]|[1,null]|{}|{"a":1}|{"1":2}|{"x":1}
{"X":1}|{"x":null}
"2020-01-01"|"2020-01-01 10:00:00.000Z"|"10:00:00"|"127.0.0.1"|"0x00"|"0x0"|"1h"|"a0000000-0000-4000-8000-000000000001"
12345678901234567890
[[1]]|[{"a":1}]|{"a":[1]}|"\\u00e9"|"NaN"|"Infinity"|NaN|01|+1|.5|1.|'a'|[1,]|{"a":1,}|{a:1}|{"x":1,"y":"2"}
{"x":1,"x":2}|9223372036854775808|0.1
{"\\"x\\"":1}|{"\\"V2\\"":1}|"[1]"|"{}"|99999999999999999999999999|1e10|1.0e0|-0|-0.0|2147483648|128|"128"
1577836800000|-1|10.0
""".strip()
    .replace("\n", "|")
    .split("|")
)


class Literals:
    """For one table with a column `k int` and columns of all sorts: writes and what was written."""

    def __init__(self, rng: Random, table: Table) -> None:
        self._rng, self._table = rng, table
        self._key = table.of("partition")[0]
        self._read: Statement | None = None

    def statement(self) -> Statement:
        if self._read is not None:
            made, self._read = self._read, None
            return made
        rng = self._rng
        column = rng.choice(self._table.of("regular"))
        key = rng.randrange(1000)
        chosen = column.written if rng.random() < 0.7 else f"to_json({column.written})"
        self._read = _plain(f"SELECT {chosen} FROM {self._table.full_name} WHERE k = {key}")
        luck = rng.random()
        if luck < 0.25:
            return self._json(column, key)
        if luck < 0.4:
            self._read = None
            hint = column.type.cql()
            return Statement(
                (Clause(f"SELECT ({hint})", (self._literal(column),), tail=f" FROM {self._table.full_name} LIMIT 1"),)
            )
        if luck < 0.5:
            self._read = None
            relation: Item = (f"{column.written} = ", *self._literal(column))
            head = Clause(f"SELECT k FROM {self._table.full_name}", (), required=True)
            return Statement((head, Clause("WHERE ", (relation,)), Clause("", (("ALLOW FILTERING",),))))
        if luck < 0.6:
            operator = rng.choice(["+", "-"])
            text = (f"{column.written} = {column.written} {operator} ", *self._literal(column))
            return Statement((Clause(f"UPDATE {self._table.full_name} SET ", (text,), tail=f" WHERE k = {key}"),))
        values: Item = (f"{key}, ", *self._literal(column))
        text = f"INSERT INTO {self._table.full_name} (k, {column.written}) VALUES ("
        return Statement((Clause(text, (values,), tail=")"),))

    def _literal(self, column: Column) -> Item:
        rng = self._rng
        luck = rng.random()
        if luck < 0.6:
            return (rng.choice(ODD),)
        if luck < 0.75:
            return (Bound(self._nested(column.type)),)
        other = column.type if luck < 0.9 else random_type(rng, self._table.user_types)
        value = random_value(rng, other)
        return (Bound(other.to_literal(value)),)

    def _nested(self, cql_type: CqlType) -> str:
        """A literal of the type's outer form with odd things in it."""
        rng = self._rng
        items = [rng.choice(ODD) for _ in range(rng.randint(1, 2))]
        name = cql_type.cql()
        if "list<" in name[:12] or "vector<" in name[:14]:
            return f"[{', '.join(items)}]"
        if "set<" in name[:12]:
            return f"{{{', '.join(items)}}}"
        if "map<" in name[:12]:
            return "{" + ", ".join(f"{item}: {rng.choice(ODD)}" for item in items) + "}"
        if "tuple<" in name[:14]:
            return f"({', '.join(items)})"
        return f"{{x: {items[0]}}}"

    def _json(self, column: Column, key: int) -> Statement:
        rng = self._rng
        value = rng.choice(JSON)
        if rng.random() < 0.3:
            value = column.type.to_json(random_value(rng, column.type))
        if rng.random() < 0.25:
            self._read = None
            text = value.replace("'", "''")
            return _plain(f"INSERT INTO {self._table.full_name} (k, {column.written}) VALUES ({key}, from_json('{text}'))")
        name = column.written if rng.random() < 0.95 else rng.choice(["nothing", column.written.upper(), " "])
        text = f"{{{json.dumps('k')}: {key}, {json.dumps(name)}: {value}}}".replace("'", "''")
        default = rng.choice(["", "", " DEFAULT UNSET", " DEFAULT NULL"])
        return _plain(f"INSERT INTO {self._table.full_name} JSON '{text}'{default}")


def _plain(text: str) -> Statement:
    return Statement((Clause(text, (), required=True),))
