"""Records how Cassandra compares values by their bytes, for the tries of Rows.db: samples/forms.tsv of
tests/storage/sstable, which test_comparable.py reads. Random values of random types, and numbers at the edges.

    python compat-tests/sstables/record_forms.py --node 2

`--seed` and `--count` together compare more values than are recorded, without writing.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

from twins.tables import random_user_types  # noqa: E402
from twins.values import random_type, random_value  # noqa: E402

from protocol.types import BIGINT, DECIMAL, NATIVE_TYPES, VARINT, CqlType  # noqa: E402
from sstables.inspector import Inspector  # noqa: E402
from storage.sstable.comparable import form_of  # noqa: E402

FORMS = ROOT / "tests" / "storage" / "sstable" / "samples" / "forms.tsv"
RECORDED = 400
NATIVES = sorted(set(NATIVE_TYPES) - {"counter", "duration", "empty", "varchar"})


def values(rng: Random, count: int) -> Iterator[tuple[CqlType, bytes]]:
    for power in (0, 6, 7, 13, 14, 20, 27, 34, 41, 47, 48, 49, 55, 56, 62, 63, 64, 300, 2000):
        for number in (2**power, 2**power - 1, -(2**power), -(2**power) - 1):
            size = number.bit_length() // 8 + 1
            if size <= 8:
                yield BIGINT, number.to_bytes(8, "big", signed=True)
            yield VARINT, number.to_bytes(size, "big", signed=True)
            yield VARINT, number.to_bytes(size + 2, "big", signed=True) if size < 6 else b"\0"
            scale = rng.choice((0, 1, 2, -1, -2, 5, 127, 255, 256, 65536, -65537, 2**31 - 1, -(2**31)))
            yield DECIMAL, scale.to_bytes(4, "big", signed=True) + number.to_bytes(size, "big", signed=True)
    for name in NATIVES:
        yield NATIVE_TYPES[name], random_value(rng, NATIVE_TYPES[name])
        if NATIVE_TYPES[name].allows_empty:
            yield NATIVE_TYPES[name], b""
    user_types = random_user_types(rng, "ks")
    for _ in range(count):
        cql_type = random_type(rng, user_types, key=True).frozen_form()
        yield cql_type, random_value(rng, cql_type)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--node", type=int, default=1, help="the oracle's number")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=RECORDED)
    given = parser.parse_args()
    lines, differences = [], 0
    with tempfile.TemporaryDirectory() as classes:
        inspector = Inspector(given.node, Path(classes))
        try:
            for cql_type, value in values(Random(given.seed or 1), given.count):
                theirs = inspector.form(cql_type.java(), value)
                lines.append(f"{cql_type.java()}\t{value.hex()}\t{theirs}\n")
                made = form_of(cql_type)(value)
                if theirs != ("none" if made is None else made.hex()):
                    differences += 1
                    print(f"{cql_type.cql()} {value.hex()}: {made and made.hex()}, Cassandra's {theirs}")
        finally:
            inspector.close()
    print(f"{len(lines)} values, {differences} differences")
    if given.seed is None:
        FORMS.write_text("".join(lines))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
