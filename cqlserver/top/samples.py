"""What is asked of the control port for one picture, and what two samples say of the time between them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cqlserver.control.client import ControlClient, ControlError

_LINE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OPERATION: Final = "cassandra_table_operation_latency_seconds"
STATEMENTS_MAX: Final = 200

Labels = tuple[tuple[str, str], ...]
Metrics = Mapping[str, Mapping[Labels, float]]
"""By name and labels, sorted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`at_s`: by whatever clock; `statements`: those that the query log has of late, None where it is off; `streams`: to and
    from other nodes."""

    at_s: float
    metrics: Metrics
    node: Mapping[str, Any]
    tasks: Sequence[Mapping[str, Any]]
    statements: Sequence[Mapping[str, Any]] | None
    streams: Sequence[Mapping[str, Any]] = ()

    def value(self, name: str, **labels: str) -> float:
        """0 where there is none."""
        return self.metrics.get(name, {}).get(tuple(sorted(labels.items())), 0.0)


@dataclass(frozen=True, slots=True)
class OperationRow:
    """What went on in one table of one kind: `rate` a second, latencies in milliseconds."""

    keyspace: str
    table: str
    operation: str
    rate: float
    p50_ms: float
    p99_ms: float

    @property
    def name(self) -> str:
        return f"{self.keyspace}.{self.table}"


def parsed(text: str) -> Metrics:
    """Of Prometheus' text format."""
    found: dict[str, dict[Labels, float]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match:
            labels = tuple(sorted((name, _unescaped(value)) for name, value in _LABEL.findall(match[2] or "")))
            found.setdefault(match[1], {})[labels] = float(match[3])
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def taken(client: ControlClient, at_s: float) -> Sample:
    """Raises ControlError, OSError."""
    metrics = parsed(client.text("metrics"))
    node: Any = client.call("node_info")
    tasks: Any = client.call("tasks")
    streams: Any = client.call("netstats")
    try:
        answer: Any = client.call("queries", {"limit": STATEMENTS_MAX})
        statements = answer["queries"]
    except ControlError as error:
        if error.code != "NotRecording":
            raise
        statements = None
    return Sample(at_s, metrics, node, tasks["tasks"], statements, streams["sessions"])


def operations(before: Sample, now: Sample) -> list[OperationRow]:
    """Of each table and kind that had any, ever."""
    seconds = max(now.at_s - before.at_s, 1e-9)
    found = []
    quantiles = now.metrics.get(_OPERATION, {})
    earlier = before.metrics.get(f"{_OPERATION}_count", {})
    for labels, count in now.metrics.get(f"{_OPERATION}_count", {}).items():
        of = dict(labels)

        def quantile(share: str, of: Mapping[str, str] = of) -> float:
            return 1_000 * quantiles.get(tuple(sorted({**of, "quantile": share}.items())), 0.0)

        rate = (count - earlier.get(labels, 0.0)) / seconds
        found.append(OperationRow(of["keyspace"], of["table"], of["operation"], rate, quantile("0.5"), quantile("0.99")))
    return found


SORTS: Final = {
    "rate": lambda row: (-row.rate, row.name, row.operation),
    "p99": lambda row: (-row.p99_ms, row.name, row.operation),
    "table": lambda row: (row.name, row.operation),
}


def chosen(rows: Sequence[OperationRow], sort: str, wanted: str) -> list[OperationRow]:
    """Those whose table has `wanted` in its name, in order."""
    return sorted((row for row in rows if wanted in row.name), key=SORTS[sort])


def slowest(sample: Sample, count: int) -> list[Mapping[str, Any]]:
    """Statements that the query log has, those that took longest first."""
    return sorted(sample.statements or (), key=lambda query: -float(query["duration_us"]))[:count]
