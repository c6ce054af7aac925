"""Records terms.txt: what a running Cassandra stores, or says, for each literal in a column of each type.

python tests/cqlserver/data/record_terms.py HOST:PORT
"""

import socket
import sys
from pathlib import Path

from protocol.client import Connection
from protocol.responses import Error, RowsResult

HERE = Path(__file__).parent

TYPES = """
bigint; blob; boolean; date; decimal; double; duration; float; inet; int; smallint; text; time; timestamp; timeuuid
tinyint; uuid; varint; ascii; list<int>; set<text>; map<text, int>; frozen<list<frozen<set<int>>>>; tuple<int, text>; ut
frozen<ut>; vector<float, 2>; vector<text, 2>; map<int, frozen<list<text>>>; tuple<list<int>, frozen<ut>>
"""

LITERALS = """
1; -1; 1.5; -1.5; 1e10; NaN; -Infinity; true; 'a'; 'é'; 0x01; 0xff00; 0x; 1h; -1h; P1Y; 1y2mo; '2020-01-01'; ''; null
'2020-01-01 00:00:00Z'; '12:00:00'; '1.2.3.4'; '1'; '1.5'; 'true'; 123e4567-e89b-12d3-a456-426655440000; 99999999999
123e4567-e89b-22d3-a456-426655440000; 99999999999999999999; 300; -129; 2147483648; [1, 2]; []; {1, 2}; {}; {'a', 'b', 'a'}
{'a': 1}; {'b': 1, 'a': 2, 'b': 3}; {x: 1}; {x: 1, y: 'q'}; {x: 'a'}; {z: 1}; (1, 'a'); (1); (1, 'a', 2); (null, 'a')
[1, null]; {1, null}; {'a': null}; [1, 'a']; {'a': 'b'}; {1: ['a', 'b']}; [{2, 1}, {3}]; [1.0, 2]; ['a', 'b']; [1.0]
([1], {x: 1}); ([1, 2]); [[1]]; {{1}}; {1: {2: 3}}; (1, 2); 1 + 1; -(1); (int)1; (bigint)1; (text)'a'; (nope)1
blobAsInt(0x00000001); intAsBlob(1); foo(1); max(1); token(1); (list<int>)[1]; (ut){x: 1}; (frozen<ut>){x: 1}
(set<text>){'a'}; [(int)1]; {'a': (int)1}; textAsBlob('a'); [blobAsInt(0x01)]
"""


def items(text: str) -> list[str]:
    return [item.strip() for line in text.strip().splitlines() for item in line.split("; ")]


def is_stable(outcome: str) -> bool:
    """Lists of signatures come in the order of a hash map; an exception of Java's is no answer to imitate."""
    return "signature" not in outcome and "java.lang" not in outcome


def main() -> None:
    host, port = sys.argv[1].split(":")
    connection = Connection(socket.create_connection((host, int(port))), 4)
    connection.query("DROP KEYSPACE IF EXISTS terms_golden")
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    connection.query(f"CREATE KEYSPACE terms_golden WITH replication = {replication}")
    connection.query("USE terms_golden")
    connection.query("CREATE TYPE ut (x int, y text)")
    types = items(TYPES)
    columns = ", ".join(f"c{index} {type_}" for index, type_ in enumerate(types))
    connection.query(f"CREATE TABLE t (k int PRIMARY KEY, {columns})")
    lines = []
    for index, type_ in enumerate(types):
        lines.append(f"> {type_}")
        for key, literal in enumerate(items(LITERALS)):
            response = connection.query(f"INSERT INTO t (k, c{index}) VALUES ({key}, {literal})").response
            if isinstance(response, Error):
                outcome = f"{type(response.error).__name__}: {response.error.message}"
            else:
                rows = connection.query(f"SELECT c{index} FROM t WHERE k = {key}").response
                assert isinstance(rows, RowsResult)
                value = rows.rows()[0][0]
                outcome = "null" if value is None else f"={value.hex()}"
            if is_stable(outcome):
                lines.append(f"{literal}\t{outcome}")
    (HERE / "terms.txt").write_text("\n".join(lines) + "\n")
    connection.query("DROP KEYSPACE terms_golden")


if __name__ == "__main__":
    main()
