"""Guardrails: what they say, whom they leave alone, and what a cassandra.yaml may not say of them."""

import pytest

from cqlserver.guardrails import (
    DROP_KEYSPACE,
    EARLIEST,
    KEYSPACES,
    LATEST,
    SIMPLE_STRATEGY,
    TABLES,
    TWCS,
    VECTOR,
    Guarded,
    Guardrails,
)
from cqlserver.program.config import Config, ConfigError, apply_setting
from cqlserver.state import ANONYMOUS, SYSTEM, User
from protocol.errors import InvalidRequest


def guarded(**settings: object) -> tuple[Guarded, list[str]]:
    warnings: list[str] = []
    return Guarded(settings, warnings.append), warnings


def test_between_the_thresholds_is_warned_and_above_refused_with_the_warning_beside() -> None:
    asked, warnings = guarded(tables_warn_threshold=2, tables_fail_threshold=4)
    asked.limit(TABLES, 2, "a")
    assert not warnings
    asked.limit(TABLES, 3, "b")
    assert warnings == [
        "Guardrail tables violated: Creating table b, current number of tables 3 exceeds warning threshold of 2."
    ]
    with pytest.raises(InvalidRequest, match="Cannot have more than 4 tables, aborting the creation of table c") as caught:
        asked.limit(TABLES, 5, "c")
    assert warnings[-1] == caught.value.message


def test_what_is_not_set_is_not_asked() -> None:
    asked, warnings = guarded(tables_fail_threshold=1)
    asked.limit(KEYSPACES, 1000, "a")
    asked.limit(TABLES, 1, "a")
    asked.feature(DROP_KEYSPACE)
    assert not warnings


def test_features_that_are_switched_off_are_refused_by_name() -> None:
    asked, warnings = guarded(drop_keyspace_enabled=False, vector_type_enabled=False, simplestrategy_enabled=False)
    with pytest.raises(InvalidRequest, match="drop_keyspace_enabled violated: DROP KEYSPACE functionality is not allowed"):
        asked.feature(DROP_KEYSPACE)
    with pytest.raises(InvalidRequest, match="Guardrail vector_type_enabled violated: Column v is not allowed"):
        asked.feature(VECTOR, "Column v")
    with pytest.raises(InvalidRequest, match="Guardrail simplestrategy violated: SimpleStrategy is not allowed"):
        asked.feature(SIMPLE_STRATEGY)
    assert len(warnings) == 3


def test_time_windows_without_a_time_to_live_are_warned_of_by_default() -> None:
    asked, warnings = guarded()
    asked.feature(TWCS)
    assert "It is suspicious to use default_time_to_live set to 0" in warnings[0]
    asked, warnings = guarded(zero_ttl_on_twcs_warned=False)
    asked.feature(TWCS)
    assert not warnings


def test_timestamps_are_compared_with_now() -> None:
    hour_us = 3600 * 1_000_000
    asked, warnings = guarded(maximum_timestamp_fail_threshold=hour_us, minimum_timestamp_warn_threshold=hour_us)
    now_us = 1_000 * hour_us
    asked.age(LATEST, now_us + hour_us, now_us, "t")
    asked.age(EARLIEST, now_us - hour_us, now_us, "t")
    assert not warnings
    asked.age(EARLIEST, now_us - hour_us - 1, now_us, "t")
    assert f"before the minimum allowable warning threshold {now_us - hour_us}" in warnings[0]
    with pytest.raises(InvalidRequest, match="after the maximum allowable failure threshold"):
        asked.age(LATEST, now_us + hour_us + 1, now_us, "t")


def test_nobody_is_guarded_who_has_not_logged_in_or_is_a_superuser() -> None:
    rails = Guardrails({"tables_fail_threshold": 1}, lambda user: user.name == "admin")
    for user in (None, ANONYMOUS, SYSTEM, User("admin")):
        assert rails.of(user, print) is None
    assert rails.of(User("alice"), print) is not None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("tables_warn_threshold=0", "Invalid value for tables_warn_threshold: 0 is not allowed; if attempting to disable"),
        ("tables_warn_threshold=-2", "Invalid value -2 for tables_warn_threshold: negative values are not allowed"),
        ("data_disk_usage_percentage_warn_threshold=101", "maximum allowed value is 100"),
        ("table_properties_warned=[nothing]", "do not parse as valid table properties"),
        ("read_consistency_levels_warned=[SOME]", "SOME is no consistency level"),
        ("group_by_enabled=perhaps", "neither true nor false"),
        ("collection_size_warn_threshold=0B", "0 is not allowed; if attempting to disable use an empty value"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        apply_setting(Config(), setting)


def test_warnings_come_before_failures() -> None:
    config = apply_setting(Config(), "tables_warn_threshold=5")
    with pytest.raises(ConfigError, match="threshold 5 for tables_warn_threshold should be lower than the fail threshold 3"):
        apply_setting(config, "tables_fail_threshold=3")
    least = apply_setting(Config(), "minimum_replication_factor_warn_threshold=1")
    with pytest.raises(ConfigError, match="should be greater than the fail threshold 2"):
        apply_setting(least, "minimum_replication_factor_fail_threshold=2")
