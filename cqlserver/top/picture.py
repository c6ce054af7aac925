"""A picture of two samples as text: headings and tables of cells, which a terminal draws, or plain lines hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cqlserver.nodetool.printing import file_size
from cqlserver.top.samples import Sample, chosen, operations, slowest

STATEMENT_CHARS_MAX: Final = 100
_KINDS: Final = ("read", "write", "rangeslice", "casread", "caswrite")
_REQUESTS: Final = "cassandra_client_request_latency_seconds"


@dataclass(frozen=True, slots=True)
class Sheet:
    """`empty`: said where there are no rows; numbers stand to the right in columns of `right`."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str
    right: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    facts: tuple[str, ...]
    sheets: tuple[Sheet, ...]


def picture(before: Sample, now: Sample, sort: str, wanted: str, rows_max: int) -> Picture:
    seconds = max(now.at_s - before.at_s, 1e-9)

    def rate(name: str, **labels: str) -> float:
        return (now.value(name, **labels) - before.value(name, **labels)) / seconds

    requests = {name: rate(f"{_REQUESTS}_count", operation=name) for name in _KINDS}
    node = now.node
    facts = (
        f"up {_span(node['uptime_s'])}, memory {file_size(node['memory_bytes'])}, load {file_size(node['load_bytes'])}, "
        f"processor {100 * rate('process_cpu_seconds_total'):.0f} %, "
        f"{now.value('cassandra_client_native_connections'):.0f} clients",
        "a second: " + ", ".join(f"{name} {count:.0f}" for name, count in requests.items()),
        _nodes(now),
        f"stalls of more than 5 ms: {rate('cqlserver_loop_stalls_total'):.1f} a second, "
        f"{1_000 * rate('cqlserver_loop_stall_seconds_total'):.1f} ms of each",
    )
    found = chosen(operations(before, now), sort, wanted)[:rows_max]
    return Picture(
        tuple(filter(None, facts)),
        (
            Sheet(
                "Tables",
                ("table", "operation", "a second", "50 % ms", "99 % ms"),
                [(row.name, row.operation, f"{row.rate:.1f}", f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}") for row in found],
                f"nothing of {wanted!r} was asked for yet" if wanted else "nothing was asked for yet",
                frozenset((2, 3, 4)),
            ),
            _statements(now, rows_max),
            Sheet(
                "Under way",
                ("what", "table", "state, or peer", "done"),
                _under_way(now)[:rows_max],
                "no compactions, flushes or streams",
                frozenset((3,)),
            ),
        ),
    )


def _nodes(now: Sample) -> str:
    """Of a cluster; nothing where there is one."""
    up, down = (now.value("cqlserver_nodes", state=state) for state in ("up", "down"))
    if up + down < 2:
        return ""
    hints = now.value("cassandra_storage_hints_total")
    return f"nodes: {up:.0f} up, {down:.0f} down; hints that were kept for others: {hints:.0f}"


def _under_way(now: Sample) -> list[tuple[str, ...]]:
    """Compactions and what else goes on in the background; streams by table."""
    tasks: list[tuple[str, ...]] = [
        (one["kind"], f"{one['keyspace']}.{one['table']}", one["state"], _share(one["completed"], one["total"]))
        for one in now.tasks
    ]
    streams = [
        (f"{stream['reason']}, {stream['direction']}", table["table"], f"{stream['peer']}:{stream['port']}",
         _share(table["bytes_done"], table["bytes"]))
        for stream in now.streams
        for table in stream["tables"]
    ]  # fmt: skip
    return tasks + streams


def _statements(now: Sample, rows_max: int) -> Sheet:
    rows = [
        (f"{query['duration_us'] / 1_000:.2f}", " ".join("; ".join(part["cql"] for part in query["statements"]).split()))
        for query in slowest(now, rows_max)
    ]
    return Sheet(
        "Slowest statements of late",
        ("ms", "statement"),
        [(ms, text if len(text) <= STATEMENT_CHARS_MAX else text[: STATEMENT_CHARS_MAX - 3] + "...") for ms, text in rows],
        "none was recorded" if now.statements is not None else "start with --query-log, or `cqlserver record`, to see them",
        frozenset((0,)),
    )


def _share(completed: int, total: int) -> str:
    return f"{100 * completed // total} %" if total else ""


def _span(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    return f"{days}d " * bool(days) + f"{hours:02}:{rest // 60:02}:{rest % 60:02}"


def plain(shown: Picture) -> str:
    """Lines without colours."""
    lines = list(shown.facts)
    for sheet in shown.sheets:
        lines += ["", sheet.title]
        if not sheet.rows:
            lines.append(f"  {sheet.empty}")
            continue
        table = (sheet.heads, *sheet.rows)
        widths = [max(len(row[column]) for row in table) for column in range(len(sheet.heads))]
        for row in table:
            cells = [
                cell.rjust(width) if column in sheet.right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(lines) + "\n"
