"""What cassandra.yaml says of hints, of whom to ask first and of compare-and-set."""

import pytest

from cqlserver.program.cluster_settings import ClusterSettings, read_cluster
from cqlserver.program.config import parse_duration_ms, parse_size_bytes


def read(settings: dict[str, object]) -> ClusterSettings:
    return read_cluster(ClusterSettings(), settings, parse_duration_ms, parse_size_bytes)


def test_nothing_said_changes_nothing() -> None:
    assert read({}) == ClusterSettings()


def test_settings_of_hints() -> None:
    found = read(
        {
            "hinted_handoff_enabled": False,
            "max_hint_window": "10m",
            "hinted_handoff_throttle": "2048KiB",
            "transfer_hints_on_decommission": "false",
        }
    )
    assert not found.hinted_handoff_enabled
    assert found.max_hint_window_ms == 600_000
    assert found.hinted_handoff_throttle_bytes == 2 << 20
    assert not found.transfer_hints_on_decommission


def test_a_minority_may_be_told_to_refuse_writes() -> None:
    assert read({"minority_refuses_writes": True}).minority_refuses_writes
    assert not read({}).minority_refuses_writes


def test_old_names() -> None:
    found = read({"max_hint_window_in_ms": 5, "hinted_handoff_throttle_in_kb": 3, "enable_transient_replication": True})
    assert (found.max_hint_window_ms, found.hinted_handoff_throttle_bytes) == (5, 3 << 10)
    assert found.transient_replication_enabled


@pytest.mark.parametrize(
    ("name", "value"), [("paxos_variant", "v3"), ("dynamic_snitch", "maybe"), ("dynamic_snitch_badness_threshold", "bad")]
)
def test_what_means_nothing_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        read({name: value})
