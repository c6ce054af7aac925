"""What was counted of checking from which networks roles come, as rows (db/virtual/CIDRFilteringMetricsTable.java)."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cqlserver.system.virtual_tables import ServerFacts

Rows = Iterator[Mapping[str, Any]]

_RELOADS: Final = "CIDR groups cache reload count"
_QUANTILES: Final[Mapping[str, float]] = {"p50th": 0.5, "p95th": 0.95, "p99th": 0.99, "p999th": 0.999, "max": 1.0}


def access_counts(server: "ServerFacts") -> Rows:
    counts = server.access.networks.counts
    for verb, of in (("accepted", counts.accepted), ("rejected", counts.rejected)):
        for group, count in of.items():
            yield {"name": f"Number of CIDR accesses {verb} from CIDR group - {group}", "value": count}
    yield {"name": _RELOADS, "value": counts.reloads.count}


def latencies(server: "ServerFacts") -> Rows:
    counts = server.access.networks.counts
    for name, latency in (
        ("CIDR checks latency (ns)", counts.checks),
        ("CIDR groups cache reload latency (ns)", counts.reloads),
        ("Lookup IP in CIDR groups cache latency (ns)", counts.lookups),
    ):
        snapshot = latency.snapshot()
        yield {"name": name, **{column: float(snapshot.quantile(share)) for column, share in _QUANTILES.items()}}
