"""Random DDL, valid and not, with what system_schema and DESCRIBE say after it."""

from collections.abc import Iterator
from random import Random

from protocol.types import UserType
from twins.statement import Clause, Statement, statement
from twins.values import NATIVES, random_type

_SCHEMA_READS = (
    "SELECT * FROM system_schema.keyspaces WHERE keyspace_name = '{}'",
    "SELECT keyspace_name, table_name, additional_write_policy, allow_auto_snapshot, bloom_filter_fp_chance, caching, cdc,"
    " comment, compaction, compression, crc_check_chance, dclocal_read_repair_chance, default_time_to_live, extensions,"
    " flags, gc_grace_seconds, incremental_backups, max_index_interval, memtable, memtable_flush_period_in_ms,"
    " min_index_interval, read_repair, read_repair_chance, speculative_retry"
    " FROM system_schema.tables WHERE keyspace_name = '{}'",
    "SELECT * FROM system_schema.columns WHERE keyspace_name = '{}'",
    "SELECT * FROM system_schema.types WHERE keyspace_name = '{}'",
    "SELECT keyspace_name, table_name, column_name, kind, type"
    " FROM system_schema.dropped_columns WHERE keyspace_name = '{}'",
)
_OPTIONS = (
    """
comment='x'|comment=''|comment=1|comment='it''s'|gc_grace_seconds=0|gc_grace_seconds=100|gc_grace_seconds=-1
gc_grace_seconds='5'
gc_grace_seconds='x'|default_time_to_live=100|default_time_to_live=-1|default_time_to_live=700000000
bloom_filter_fp_chance=0.1|bloom_filter_fp_chance=-1|bloom_filter_fp_chance=NaN|crc_check_chance=NaN
read_repair_chance=0.1 AND dclocal_read_repair_chance=0.1|zz=1 AND aa=2 AND mm=3|
caching={'keys':(text)'a'}|caching={'keys':1+2}
bloom_filter_fp_chance=1|bloom_filter_fp_chance=0|bloom_filter_fp_chance=2|bloom_filter_fp_chance='0.5'|crc_check_chance=0.5
crc_check_chance=1.5|min_index_interval=1|min_index_interval=0|max_index_interval=10|max_index_interval=5000|cdc=true
cdc='false'
speculative_retry='ALWAYS'|speculative_retry='NONE'|speculative_retry='99p'|speculative_retry='10ms'|speculative_retry='x'
speculative_retry='MIN(99p,50ms)'|speculative_retry='max(10ms, 95percentile)'|additional_write_policy='50p'
read_repair='NONE'
read_repair='blocking'|read_repair='x'|memtable_flush_period_in_ms=10|memtable_flush_period_in_ms=-10|nothing=1
nothing={'a':1}
caching={'keys':'ALL','rows_per_partition':'NONE'}|caching={'keys':'NONE'}|caching={'rows_per_partition':'10'}
caching={'keys':'x'}
caching={'x':'ALL'}|caching='ALL'|compression={'enabled':'false'}|compression={'class':'LZ4Compressor'}
compression={'class':'x'}
compression={'class':'SnappyCompressor','chunk_length_in_kb':'32'}
compression={'class':'LZ4Compressor','chunk_length_in_kb':'3'}
compression={'sstable_compression':'LZ4Compressor'}|compression={'class':'DeflateCompressor','min_compress_ratio':'1.5'}
compression={'class':'ZstdCompressor','compression_level':'5'}|compression={'class':''}|compression={}
compression={'enabled':'maybe'}
compression={'class':'LZ4Compressor','lz4_compressor_type':'high'}|compression={'chunk_length_in_kb':'16'}|compression='x'
compaction={'class':'SizeTieredCompactionStrategy'}
compaction={'class':'LeveledCompactionStrategy','sstable_size_in_mb':'10'}
compaction={'class':'TimeWindowCompactionStrategy','compaction_window_unit':'DAYS','compaction_window_size':'2'}
compaction={'class':'UnifiedCompactionStrategy'}
compaction={'class':'UnifiedCompactionStrategy','scaling_parameters':'T4, L8'}
compaction={'class':'SizeTieredCompactionStrategy','min_threshold':'1'}|compaction={'class':'x'}|compaction={}
compaction={'min_threshold':'4'}
compaction={'class':'SizeTieredCompactionStrategy','max_threshold':'2'}
compaction={'class':'SizeTieredCompactionStrategy','x':'2'}
compaction={'class':'SizeTieredCompactionStrategy','enabled':'false'}
compaction={'class':'LeveledCompactionStrategy','fanout_size':'5'}
compaction={'class':'SizeTieredCompactionStrategy','bucket_low':'0.1','bucket_high':'2'}
compaction={'class':'LeveledCompactionStrategy','fanout_size':'0'}
compaction={'class':'SizeTieredCompactionStrategy','tombstone_threshold':'0.5'}
compaction={'class':'SizeTieredCompactionStrategy','tombstone_threshold':'-1'}
memtable='default'|memtable='x'|allow_auto_snapshot=false|incremental_backups=false|extensions={'a':0x01}|id=5
read_repair_chance=0.5
CLUSTERING ORDER BY (c DESC)|CLUSTERING ORDER BY (c ASC)|CLUSTERING ORDER BY (k DESC)|CLUSTERING ORDER BY (c)
COMPACT STORAGE
CLUSTERING ORDER BY (c DESC, d ASC)|CLUSTERING ORDER BY (d DESC, c ASC)|comment='x' AND comment='y'
dclocal_read_repair_chance=0.1
""".strip()
    .replace("\n", "|")
    .split("|")
)
_REPLICATIONS = (
    """
{'class':'SimpleStrategy','replication_factor':1}|{'class':'SimpleStrategy','replication_factor':'2'}
{'class':'SimpleStrategy'}
{'class':'SimpleStrategy','replication_factor':0}|{'class':'SimpleStrategy','replication_factor':-1}
{'class':'SimpleStrategy','replication_factor':'x'}
{'class':'NetworkTopologyStrategy','datacenter1':1}|{'class':'NetworkTopologyStrategy','nowhere':1}
{'class':'NetworkTopologyStrategy'}
{'class':'NetworkTopologyStrategy','replication_factor':1}|{'class':'LocalStrategy'}|{'class':'EverywhereStrategy'}
{'class':'x'}|{}|'x'|1
{'replication_factor':1}|{'class':'SimpleStrategy','replication_factor':1,'x':'1'}
{'class':'SimpleStrategy','replication_factor':'3/1'}
{'class':'NetworkTopologyStrategy','datacenter1':1,'replication_factor':2}
{'class':'org.apache.cassandra.locator.SimpleStrategy','replication_factor':1}
""".strip()
    .replace("\n", "|")
    .split("|")
)
_TABLES = ["t", "t", "u", "w", '"W x"']
_DIRECTIONS = ["ASC", "DESC"]
_NAMES = ["k", "c", "d", "v", "w", "s", '"Q"', '"a b"', "x1"]
_MASKS = [
    "DEFAULT",
    "mask_null()",
    "mask_replace('x')",
    "mask_inner(1, 1)",
    "mask_hash()",
    "mask_outer(1, null)",
    "abs()",
    "nothing()",
]


_CLASSES = [
    "'org.apache.cassandra.db.marshal.Int32Type'",
    "'CompositeType(Int32Type, UTF8Type)'",
    "'DynamicCompositeType(b=>Int32Type,a=>UTF8Type)'",
    "'ListType(Int32Type)'",
    "'FrozenType(SetType(UTF8Type))'",
    "list<'Int32Type'>",
]
_VECTORS = [
    "vector<list<int>, 2>",
    "vector<frozen<set<text>>, 2>",
    "frozen<vector<map<int, text>, 1>>",
    "list<frozen<vector<list<int>, 2>>>",
    "vector<counter, 2>",
    "vector<duration, 2>",
    "vector<tuple<list<int>, int>, 1>",
]


class Definitions:
    """Names are few, so that statements meet."""

    def __init__(self, rng: Random, keyspace: str) -> None:
        self._rng, self._keyspace = rng, keyspace
        self._types = [UserType(keyspace, name, ("x",), (), False) for name in ("ua", "ub")]

    def statements(self) -> Iterator[Statement]:
        """One change and what is there after it."""
        rng = self._rng
        kinds = [self._create_table] * 5 + [self._alter_table] * 8 + [self._create_type] * 3 + [self._alter_type] * 3
        kinds += [self._drop] * 3 + [self._keyspace_statement] * 2
        yield rng.choice(kinds)()
        if rng.random() < 0.3:
            for read in _SCHEMA_READS:
                yield statement(read.format(self._keyspace))
            yield statement(f"DESCRIBE KEYSPACE {self._keyspace}")
        elif rng.random() < 0.3:
            what = rng.choice(["TABLE", "TYPE", "KEYSPACE", ""])
            name = {"TABLE": self._table(), "TYPE": f"{self._keyspace}.ua", "KEYSPACE": self._keyspace, "": self._table()}[
                what
            ]
            yield statement(f"DESCRIBE {what} {name}".replace("  ", " "))

    def _table(self) -> str:
        return f"{self._keyspace}.{self._rng.choice(_TABLES)}"

    def _type(self) -> str:
        rng = self._rng
        luck = rng.random()
        if luck < 0.05:
            return rng.choice(
                [
                    "nothing",
                    "frozen<nothing>",
                    "list<nothing>",
                    "'x'",
                    "frozen<int>",
                    "list<list<int>>",
                    "counter",
                    "vector<int, 0>",
                ]
            )
        if luck < 0.1:
            return rng.choice(_CLASSES)
        if luck < 0.13:
            return rng.choice(_VECTORS)
        if luck < 0.2:
            return rng.choice(["ua", "ub", "frozen<ua>", "list<frozen<ub>>", "map<text, ua>", "tuple<ua, int>", "set<ub>"])
        return random_type(rng, []).cql() if luck < 0.6 else rng.choice(NATIVES)

    def _masked(self) -> str:
        return f" MASKED WITH {self._rng.choice(_MASKS)}" if self._rng.random() < 0.06 else ""

    def _options(self, clustering: list[str]) -> Clause:
        rng = self._rng
        options = [rng.choice(_OPTIONS) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        if clustering and rng.random() < 0.3:
            options.append(f"CLUSTERING ORDER BY ({', '.join(f'{c} {rng.choice(_DIRECTIONS)}' for c in clustering)})")
        return Clause("WITH ", tuple((option,) for option in options), " AND ")

    def _create_table(self) -> Statement:
        rng = self._rng
        names = rng.sample(_NAMES, rng.randint(1, 6))
        if rng.random() < 0.03:
            names.append(names[0])
        columns = []
        for index, name in enumerate(names):
            cql = self._type() if index > 1 or rng.random() < 0.2 else rng.choice(NATIVES[:-1])
            static = " STATIC" if index > 1 and rng.random() < 0.12 else ""
            columns.append(f"{name} {cql}{static}{self._masked()}")
        keys = names[: rng.randint(1, min(3, len(names)))] if rng.random() < 0.95 else [rng.choice(_NAMES)]
        head = f"CREATE TABLE {rng.choice(['', '', 'IF NOT EXISTS '])}{self._table()} ("
        clustering = keys[1:]
        key = ", ".join(keys)
        if len(keys) > 1 and rng.random() < 0.4:
            key = f"({', '.join(keys[:2])}){''.join(f', {name}' for name in keys[2:])}"
            clustering = keys[2:]
        items = [(column,) for column in columns]
        if rng.random() < 0.97:
            items.append((f"PRIMARY KEY ({key})",))
        return Statement((Clause(head, tuple(items), tail=")", required=True), self._options(clustering)))

    def _alter_table(self) -> Statement:
        rng = self._rng
        head = f"ALTER TABLE {rng.choice(['', '', 'IF EXISTS '])}{self._table()} "
        kind = rng.choice(["add", "add", "drop", "rename", "with", "with", "alter", "mask"])
        name, other = rng.choice(_NAMES), rng.choice(_NAMES)
        if kind == "add":
            new = [
                f"{n} {self._type()}{rng.choice(['', '', '', ' static'])}{self._masked()}"
                for n in rng.sample(_NAMES, rng.choice([1, 1, 2]))
            ]
            return _plain(f"{head}ADD {rng.choice(['', '', 'IF NOT EXISTS '])}{', '.join(new)}")
        if kind == "drop":
            using = rng.choice(["", "", " USING TIMESTAMP 5"])
            return _plain(
                f"{head}DROP {rng.choice(['', '', 'IF EXISTS '])}{rng.choice([name, f'({name}, {other})'])}{using}"
            )
        if kind == "rename":
            more = f" AND {rng.choice(_NAMES)} TO {rng.choice(_NAMES)}" if rng.random() < 0.3 else ""
            return _plain(f"{head}RENAME {rng.choice(['', '', 'IF EXISTS '])}{name} TO {other}{more}")
        if kind == "alter":
            return _plain(f"{head}ALTER {name} TYPE {self._type()}")
        if kind == "mask":
            return _plain(f"{head}ALTER {name} {rng.choice(['DROP MASKED', f'MASKED WITH {rng.choice(_MASKS)}'])}")
        options = [rng.choice(_OPTIONS) for _ in range(rng.choice([1, 1, 2]))]
        return Statement((Clause(head, (), required=True), Clause("WITH ", tuple((o,) for o in options), " AND ")))

    def _create_type(self) -> Statement:
        rng = self._rng
        fields = ", ".join(f"{n} {self._type()}" for n in rng.sample(_NAMES, rng.randint(1, 3)))
        return _plain(
            f"CREATE TYPE {rng.choice(['', 'IF NOT EXISTS '])}{self._keyspace}.{rng.choice(['ua', 'ub', 'uc'])} ({fields})"
        )

    def _alter_type(self) -> Statement:
        rng = self._rng
        head = f"ALTER TYPE {rng.choice(['', 'IF EXISTS '])}{self._keyspace}.{rng.choice(['ua', 'ub', 'uc', 'ud'])} "
        if rng.random() < 0.5:
            return _plain(f"{head}ADD {rng.choice(['', 'IF NOT EXISTS '])}{rng.choice(_NAMES)} {self._type()}")
        if rng.random() < 0.2:
            return _plain(f"{head}ALTER {rng.choice(_NAMES)} TYPE {self._type()}")
        return _plain(f"{head}RENAME {rng.choice(['', 'IF EXISTS '])}{rng.choice(_NAMES)} TO {rng.choice(_NAMES)}")

    def _drop(self) -> Statement:
        rng = self._rng
        condition = rng.choice(["", "IF EXISTS "])
        if rng.random() < 0.5:
            return _plain(f"DROP TYPE {condition}{self._keyspace}.{rng.choice(['ua', 'ub', 'uc'])}")
        return _plain(
            f"{rng.choice(['DROP', 'DROP', 'TRUNCATE'])} TABLE {condition}{self._table()}".replace(
                "TRUNCATE TABLE IF EXISTS", "TRUNCATE"
            )
        )

    def _keyspace_statement(self) -> Statement:
        rng = self._rng
        replication = rng.choice(_REPLICATIONS)
        durable = rng.choice(["", "", " AND durable_writes = false", " AND durable_writes = 'x'", " AND nothing = 1"])
        name = rng.choice([self._keyspace, f"{self._keyspace}_b"])
        if rng.random() < 0.2:
            return _plain(f"DROP KEYSPACE {rng.choice(['', 'IF EXISTS '])}{self._keyspace}_b")
        verb = rng.choice(["CREATE KEYSPACE", "CREATE KEYSPACE IF NOT EXISTS", "ALTER KEYSPACE", "ALTER KEYSPACE IF EXISTS"])
        return _plain(f"{verb} {name} WITH replication = {replication}{durable}")


def _plain(text: str) -> Statement:
    return Statement((Clause(text, (), required=True),))
