"""What cassandra.yaml says of SSTables and compactions."""

import pytest

from cqlserver.program.config import Config, ConfigError, apply_setting
from cqlserver.program.storage_settings import StorageSettings


def read(*texts: str) -> StorageSettings:
    config = Config()
    for text in texts:
        config = apply_setting(config, text)
    return config.storage


def test_mode_and_format_choose_the_version_that_is_written() -> None:
    assert read().sstable_version == "nb"
    assert read("storage_compatibility_mode=CASSANDRA_4").sstable_version == "nb"
    assert read("storage_compatibility_mode=UPGRADING").sstable_version == "oa"
    assert read("storage_compatibility_mode=NONE").sstable_version == "oa"
    assert read("storage_compatibility_mode=NONE", "sstable={selected_format: bti}").sstable_version == "da"
    assert read("sstable={selected_format: big}").sstable_version == "nb"
    with pytest.raises(ConfigError, match="'bti' is not available when in storage compatibility mode 'CASSANDRA_4'"):
        read("sstable={selected_format: bti}")
    with pytest.raises(ConfigError, match="none of CASSANDRA_4, UPGRADING, NONE"):
        read("storage_compatibility_mode=CASSANDRA_3")


def test_rates_sizes_and_thresholds() -> None:
    assert read("compaction_throughput=16MiB/s").compaction_bytes_per_s == 16 << 20
    assert read("compaction_throughput_mb_per_sec=8").compaction_bytes_per_s == 8 << 20
    assert read("compaction_throughput=0").compaction_bytes_per_s == 0
    assert read("column_index_size=4KiB").column_index_bytes == 4096
    assert read("column_index_size_in_kb=8").column_index_bytes == 8192
    assert read("key_cache_size=3MiB").key_cache_bytes == 3 << 20
    found = read("tombstone_warn_threshold=5", "tombstone_failure_threshold=10")
    assert (found.tombstone_warn_threshold, found.tombstone_failure_threshold) == (5, 10)
    for wrong in ("compaction_throughput=fast", "tombstone_warn_threshold=many", "sstable={selected_format: parquet}"):
        with pytest.raises(ConfigError):
            read(wrong)


def test_the_row_cache_is_filled_where_it_would_be_saved() -> None:
    assert not read().loads_row_cache
    assert not read("row_cache_save_period=0s").loads_row_cache
    assert not read("row_cache_save_period=0").loads_row_cache
    assert read("row_cache_save_period=4h", "row_cache_size=16MiB").loads_row_cache
    assert read("row_cache_save_period=14400").loads_row_cache


def test_disk_failure_policies_are_cassandras() -> None:
    assert read().disk_failure_policy == "ignore"
    assert read("disk_failure_policy=stop_paranoid").disk_failure_policy == "stop_paranoid"
    with pytest.raises(ConfigError, match="disk_failure_policy: pray is none of"):
        read("disk_failure_policy=pray")
