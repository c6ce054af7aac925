"""Names of SSTables: the one place that builds and parses them (io/sstable/Descriptor.java).

    nb-1-big-Data.db        version, generation, format, component
    da-3gll_1kke_3qdyo2i4kzfpt3cqcy-bti-Partitions.db

A generation is a number, or a time-based id: a version-1 UUID in base 36 as `days_seconds_ticks+tail`
(io/sstable/UUIDBasedSSTableId.java). Folders are `DIR/<keyspace>/<table>-<table id in hex>`.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from storage.sstable.constants import VERSIONS, Version

Generation = int | UUID

_NAME: Final = re.compile(r"([a-z]{2})-([0-9]+|[0-9a-z]{4}_[0-9a-z]{4}_[0-9a-z]{18})-(big|bti)-(.+)")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TICKS_PER_SECOND: Final = 10_000_000
_SECONDS_PER_DAY: Final = 86_400


class Descriptor(NamedTuple):
    """Which SSTable, in its folder."""

    version: Version
    generation: Generation

    def file_name(self, component: str) -> str:
        generation = self.generation
        text = str(generation) if isinstance(generation, int) else _id_text(generation)
        return f"{self.version.name}-{text}-{self.version.format}-{component}"


class UnknownVersion(ValueError):
    """A name of an SSTable of a version that is not read here."""


def parse_file_name(name: str) -> tuple[Descriptor, str] | None:
    """The descriptor and component of a file name, None where it is none of an SSTable. Raises UnknownVersion."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    version = VERSIONS.get(found[1])
    if version is None or version.format != found[3]:
        raise UnknownVersion(f"{name}: SSTables of version {found[1]} ({found[3]}) are not read here")
    text = found[2]
    generation = int(text) if text.isdigit() else _parse_id(text)
    return Descriptor(version, generation), found[4]


def descriptors(names: Iterable[str], component: str) -> list[Descriptor]:
    """Of the SSTables among the names in a folder that have this component, in the names' order."""
    found = (parse_file_name(name) for name in names)
    return [parsed[0] for parsed in found if parsed is not None and parsed[1] == component]


def next_generation(names: Iterable[str]) -> int:
    """One more than the highest number among the names in a folder."""
    numbers = [0]
    for name in names:
        found = _NAME.fullmatch(name)
        if found is not None and found[2].isdigit():
            numbers.append(int(found[2]))
    return max(numbers) + 1


def table_folder(table_name: str, table_id: UUID) -> str:
    """The name of a table's folder in its keyspace's."""
    return f"{table_name}-{table_id.hex}"


def _base36(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _id_text(generation: UUID) -> str:
    """Days, seconds, and behind them ticks (5 digits) and the lower half (13), all in base 36."""
    seconds, ticks = divmod(generation.time, _TICKS_PER_SECOND)
    days, seconds = divmod(seconds, _SECONDS_PER_DAY)
    low = int.from_bytes(generation.bytes[8:], "big")
    return f"{_base36(days, 4)}_{_base36(seconds, 4)}_{_base36(ticks, 5)}{_base36(low, 13)}"


def _parse_id(text: str) -> UUID:
    days, seconds, rest = text.split("_")
    ticks = (int(days, 36) * _SECONDS_PER_DAY + int(seconds, 36)) * _TICKS_PER_SECOND + int(rest[:5], 36)
    high = (ticks & 0xFFFFFFFF) << 32 | (ticks >> 32 & 0xFFFF) << 16 | 0x1000 | ticks >> 48 & 0x0FFF
    return UUID(int=high << 64 | int(rest[5:], 36) & (1 << 64) - 1)
