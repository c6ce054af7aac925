"""/metrics: all metrics in Prometheus' text format (version 0.0.4), put together in turns with the clients' requests.

However often and by however many it is asked for, it takes a tenth of the processor at most: a text is given again until
nine times the time has passed that it took to make.
"""

from collections.abc import Callable, Iterator
from typing import Final

import trio

from cqlserver.metrics.drawing import Labels, Summary, draw
from cqlserver.metrics.families import FAMILIES, Family
from cqlserver.metrics.histograms import QUANTILES
from cqlserver.node import Node

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
TURN_S: Final = 0.001
"""How long it is worked on before others have their turn."""
REST: Final = 9
LINES_AT_ONCE: Final = 500
_QUANTILES: Final = tuple(f'quantile="{share:g}"' for share in QUANTILES)


class Exposition:
    """Of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clock: Callable[[], float] = node.environment.clock.monotonic
        self._lock = trio.Lock()
        self._text = ""
        self._fresh_until = 0.0

    async def text(self) -> str:
        async with self._lock:  # who comes meanwhile gets the same
            if self._clock() >= self._fresh_until:
                await self._make()
            return self._text

    async def _make(self) -> None:
        clock = self._clock
        worked_s, began = 0.0, clock()
        parts: list[str] = []
        for part in pieces(self._node):
            parts.append(part)
            now = clock()
            if now - began > TURN_S:
                worked_s += now - began
                await trio.lowlevel.checkpoint()
                began = clock()
        self._text = "".join(parts)
        now = clock()
        self._fresh_until = now + REST * (worked_s + now - began)


def pieces(node: Node) -> Iterator[str]:
    """The text, in parts; some of them are empty: between them others may have a turn."""
    lines: dict[str, list[str]] = {name: [] for name in FAMILIES}
    prefixes: dict[Labels, str] = {}

    def take(name: str, labels: Labels, value: float | Summary) -> None:
        family = FAMILIES[name]
        key = (*family.labels, *labels)
        prefix = prefixes.get(key)
        if prefix is None:
            prefix = prefixes[key] = _labelled(family, labels)
        if isinstance(value, Summary):
            lines[name].append(_summary(name, prefix, value))
        else:
            lines[name].append(f"{name}{{{prefix}}} {_number(value)}\n" if prefix else f"{name} {_number(value)}\n")

    for _ in draw(node, take):
        yield ""
    for name, family in FAMILIES.items():
        of_family = lines[name]
        if of_family:
            yield f"# HELP {name} {family.meaning}\n# TYPE {name} {family.type}\n"
        for at in range(0, len(of_family), LINES_AT_ONCE):
            yield "".join(of_family[at : at + LINES_AT_ONCE])


def _number(value: float) -> str:
    return repr(value) if isinstance(value, float) else str(int(value))


def _labelled(family: Family, labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(family.labels, labels, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _summary(name: str, prefix: str, summary: Summary) -> str:
    between = "," if prefix else ""
    labels = f"{{{prefix}}}" if prefix else ""
    told = [f"{name}{{{prefix}{between}{q}}} {v:.6g}\n" for q, v in zip(_QUANTILES, summary.values, strict=True)]
    told.append(f"{name}_sum{labels} {summary.total!r}\n{name}_count{labels} {summary.times}\n")
    return "".join(told)

