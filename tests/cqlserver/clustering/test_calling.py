"""A node that is started beside its seeds calls them until they answer, not with the rounds of gossip alone."""

from typing import cast

import trio
from trio.testing import MockClock

from cqlserver.clustering.process import CALL_S, LOOK_S, Connected
from cqlserver.clustering.station import Station


class CountingStation:
    calls = 0

    def start(self) -> None:
        self.calls += 1


def test_seeds_are_called_until_they_are_met() -> None:
    station = CountingStation()
    connected = object.__new__(Connected)
    connected._station = cast(Station, station)

    async def main() -> float:
        await connected._call_until(lambda: station.calls == 3)
        return trio.current_time()

    clock = MockClock(autojump_threshold=0)
    began_s = clock.current_time()
    waited_s = trio.run(main, clock=clock) - began_s
    assert 3 * CALL_S <= waited_s < 3 * (CALL_S + LOOK_S)


def test_nobody_is_called_where_all_are_met() -> None:
    station = CountingStation()
    connected = object.__new__(Connected)
    connected._station = cast(Station, station)
    trio.run(connected._call_until, lambda: True)
    assert station.calls == 0
