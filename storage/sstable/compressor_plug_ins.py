"""Compressors that other packages bring: entry points of the group `cqlserver.compressors`.

An entry point's name is what `compression = {'class': ...}` says, its value a function: it is given the table's other
options, texts by name, and gives `(compress, decompress)` as compression.py has them, or raises ValueError for options that
it does not take. Packages are looked through only for a name that is none of the built-in ones, and once.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final, cast

from storage.sstable.compression import Compressor

GROUP: Final = "cqlserver.compressors"
Factory = Callable[[Mapping[str, str]], Compressor]


@cache
def maybe_factory(name: str) -> Factory | None:
    """None where no package has a compressor of that name. Raises ValueError where the package that has it can't be
    imported."""
    for entry_point in entry_points(group=GROUP, name=name):
        try:
            return cast(Factory, entry_point.load())
        except Exception as error:  # a package of somebody else's may do anything
            raise ValueError(f"{entry_point.value} can't be imported: {error}") from error
    return None
