"""Guardrails that are read and set while a server runs (nodetool getguardrailsconfig, setguardrailsconfig;
db/guardrails/GuardrailsMBean.java), by the names and in the words of Cassandra's nodetool."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from cluster.consistency import Consistency
from cqlserver.ddl.table_params import KNOWN_PROPERTIES
from cqlserver.java_order import texts_hash_ordered
from cqlserver.program.config import Config
from cqlserver.program.guardrail_settings import (
    AGES,
    COUNTS,
    DISK_SIZE,
    FLAGS,
    LEVELS,
    PERCENTAGES,
    PROPERTIES,
    SIZES,
    read_guardrails,
)
from cqlserver.system.settings import setting_rows
from protocol.types.java_text import parse_java_int

_INTEGERS: Final = (*COUNTS, "minimum_replication_factor", *PERCENTAGES)
_LONG: Final = "partition_tombstones"
_SIZE: Final = re.compile(r"(\d+)(B|KiB|MiB|GiB)")
_SIZE_BYTES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DURATION: Final = re.compile(r"(\d+)(d|h|m|s|ms|us|µs)")
_DURATION_US: Final = {
    "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1, "µs": 1
}  # fmt: skip
_NULL: Final = "null"


class UnknownGuardrail(ValueError):
    """None of that name, or not with so many values."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One that is read and set as one. `category`: flags, thresholds, values or others; `settings`: its names in
    cassandra.yaml, in the order of its values; `read` makes a value of what is written, None for none: ValueError."""

    name: str
    category: str
    settings: tuple[str, ...]
    read: Callable[[str], object]

    @property
    def is_set(self) -> bool:
        return self.category == "values"


def shown(config: Config) -> Iterator[tuple[Guardrail, Mapping[str, str]]]:
    """Every guardrail with its settings' values, as they are printed: sets in the order that they have behind a network."""
    known = {row["name"]: row["value"] for row in setting_rows(config)}
    for guardrail in GUARDRAILS.values():
        values = {name: known[name] or _NULL for name in guardrail.settings}
        if guardrail.is_set:
            words = config.guardrails.get(guardrail.name, frozenset())
            assert isinstance(words, frozenset), words
            values = {guardrail.name: f"[{', '.join(texts_hash_ordered(sorted(words), capacity=1))}]"}
        yield guardrail, values


def changed(config: Config, name: str, written: Sequence[str]) -> Config:
    """With a guardrail set to what is written: of thresholds what fails, then what is warned of. Raises UnknownGuardrail, or
    ValueError with the reason."""
    guardrail = GUARDRAILS.get(name)
    if guardrail is None:
        raise UnknownGuardrail(f"Guardrail {name} not found.")
    if guardrail.is_set and len(written) > 1:
        written = [",".join(written)]
    if len(written) != len(guardrail.settings):
        expected = f"{name} is expecting {len(guardrail.settings)} argument values."
        raise UnknownGuardrail(f"{expected} Getting {len(written)} instead.")
    values = {setting: guardrail.read(text) for setting, text in zip(guardrail.settings, written, strict=True)}
    kept = {setting: value for setting, value in config.guardrails.items() if setting not in values}
    wanted = {setting: value for setting, value in values.items() if value is not None}
    found = dict(
        read_guardrails(kept, wanted, _size_bytes, _duration_us, KNOWN_PROPERTIES, config.default_keyspace_rf)
    )
    found |= dict.fromkeys((setting for setting, value in values.items() if value is None), -1)
    given = {**config.given, **{setting: _given(found[setting], value) for setting, value in values.items()}}
    return replace(config, guardrails=MappingProxyType(found), given=MappingProxyType(given))


def _given(found: object, value: object) -> object:
    """As a cassandra.yaml would have it."""
    if not isinstance(found, frozenset):
        return value
    levels = [level.name for level in Consistency if level.name in found]
    return levels or texts_hash_ordered(sorted(found))


def _integer(bits: int) -> Callable[[str], object]:
    def read(text: str) -> object:
        if text == _NULL:
            return -1
        try:
            return parse_java_int(text, bits)
        except ValueError:
            raise ValueError(f'For input string: "{text}"') from None

    return read


def _boolean(text: str) -> object:
    if text not in ("true", "false", _NULL):
        raise ValueError("Use 'true' or 'false' values for booleans")
    return text == "true"


def _words(text: str) -> object:
    return [] if text in (_NULL, "[]") else text.split(",")


def _levels(text: str) -> object:
    words = [] if text in (_NULL, "[]") else text.split(",")
    for word in words:
        if word not in Consistency.__members__:
            raise ValueError(f"No enum constant org.apache.cassandra.db.ConsistencyLevel.{word}")
    return words


def _text(text: str) -> object:
    """Of a size or duration, which is looked at with the others."""
    return None if text in (_NULL, "") else text


def _size_bytes(name: str, value: object) -> int:
    found = _SIZE.fullmatch(str(value))
    if found is None:
        raise ValueError(
            f"Invalid data storage: {value} Accepted units:[BYTES, KIBIBYTES, MEBIBYTES, GIBIBYTES] where case matters and "
            "only non-negative values are accepted"
        )
    return int(found[1]) * _SIZE_BYTES[found[2]]


def _duration_us(name: str, value: object) -> int:
    found = _DURATION.fullmatch(str(value))
    if found is None:
        raise ValueError(
            f"Invalid duration: {value} Accepted units:[MICROSECONDS, MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS] where "
            "case matters and only non-negative values."
        )
    return int(found[1]) * _DURATION_US[found[2]]


def _thresholds(stems: Sequence[str], read: Callable[[str], object]) -> Iterator[Guardrail]:
    for stem in stems:
        yield Guardrail(f"{stem}_threshold", "thresholds", (f"{stem}_fail_threshold", f"{stem}_warn_threshold"), read)


def _all() -> Iterator[Guardrail]:
    yield from (Guardrail(name, "flags", (name,), _boolean) for name in FLAGS)
    yield from _thresholds([stem for stem in _INTEGERS if stem != _LONG], _integer(32))
    yield from _thresholds((_LONG,), _integer(64))
    yield from _thresholds(SIZES, _text)
    yield from _thresholds(AGES, _text)
    yield from (Guardrail(name, "values", (name,), _words) for name in PROPERTIES)
    yield from (Guardrail(name, "values", (name,), _levels) for name in LEVELS)
    yield Guardrail(DISK_SIZE, "others", (DISK_SIZE,), _text)


GUARDRAILS: Final[Mapping[str, Guardrail]] = MappingProxyType(
    {guardrail.name: guardrail for guardrail in sorted(_all(), key=lambda guardrail: guardrail.name)}
)
