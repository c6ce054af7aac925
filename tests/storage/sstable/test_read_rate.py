"""How often an SSTable is read."""

import math

from storage.sstable.read_rate import FADING_S, INTERVAL_S, ReadRate


def test_reads_fade() -> None:
    rate = ReadRate()
    rate.note(1_000, 50.0)  # since when these are is not known
    assert rate.per_s == 0.0
    rate.note(1_100, 50.0 + INTERVAL_S - 1)
    assert rate.per_s == 0.0
    rate.note(1_100, 60.0)
    assert rate.per_s == 10.0
    rate.note(1_100, 60.0 + FADING_S)
    assert math.isclose(rate.per_s, 10.0 / math.e)
    rate.note(1_100 + 20 * int(FADING_S), 60.0 + 2 * FADING_S)
    assert 13 < rate.per_s < 15
