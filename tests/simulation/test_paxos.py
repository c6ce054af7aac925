"""Compare-and-set is linearizable through loss, delay, partitions and crashes; the checker would see it if it were not."""

from dataclasses import fields
from math import inf

import pytest

from simulation.linearizable import Operation, Undecided, is_linearizable
from simulation.network import Weather
from simulation.registers import KEY_INITIAL, Bugs, RegisterWorld

STORM = Weather(delay_s_max=0.02, loss=0.05, duplicate=0.05)
SECONDS = 4.0


def lived(seed: int, bugs: Bugs | None = None, weather: Weather = STORM, has_trouble: bool = True) -> RegisterWorld:
    world = RegisterWorld(seed, weather, bugs)
    for number in range(4):
        world.client(number, 8)
    if has_trouble:
        world.trouble(SECONDS)
    world.run(SECONDS)
    return world


@pytest.mark.parametrize("seed", range(40))
def test_histories_are_linearizable(seed: int) -> None:
    world = lived(seed)
    assert is_linearizable(world.history, KEY_INITIAL), world.history
    assert len(world.history) > 5


def test_the_storms_are_storms() -> None:
    """All that can happen does: applied, not applied, unknown, crashed, lost."""
    worlds = [lived(seed) for seed in range(40)]
    outcomes = {(operation.expected is None, operation.applied) for world in worlds for operation in world.history}
    assert outcomes >= {(True, True), (False, True), (False, False), (False, None)}
    assert all(world.crashes and world.network.lost for world in worlds)


def test_in_calm_weather_all_is_decided() -> None:
    world = lived(1, weather=Weather(delay_s_max=0.002), has_trouble=False)
    assert len(world.history) == 32
    assert all(operation.applied is not None for operation in world.history)
    assert is_linearizable(world.history, KEY_INITIAL)


def test_the_same_seed_is_the_same_run() -> None:
    assert lived(7).schedule.trace == lived(7).schedule.trace != lived(8).schedule.trace


def is_caught(seed: int, bugs: Bugs) -> bool:
    try:
        return not is_linearizable(lived(seed, bugs).history, KEY_INITIAL)
    except Undecided:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("bug", [field.name for field in fields(Bugs)])
def test_planted_bugs_are_caught(bug: str) -> None:
    assert any(is_caught(seed, Bugs(**{bug: True})) for seed in range(400)), f"{bug} went unnoticed"


def cas(began: float, ended: float, expected: str, new: str, applied: bool | None, found: str | None = None) -> Operation:
    return Operation(began, ended, expected, new, applied, found)


def read(began: float, ended: float, found: str) -> Operation:
    return Operation(began, ended, None, None, True, found)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([cas(0, 1, "0", "a", True), read(2, 3, "a")], True),
        ([cas(0, 1, "0", "a", True), read(2, 3, "0")], False),
        ([cas(0, 4, "0", "a", True), read(1, 2, "0"), read(2.5, 3, "a")], True),
        ([cas(0, 4, "0", "a", True), read(1, 2, "a"), read(2.5, 3, "0")], False),
        ([cas(0, inf, "0", "a", None), read(1, 2, "0"), read(3, 4, "a")], True),
        ([cas(0, inf, "0", "a", None), read(1, 2, "a"), read(3, 4, "0")], False),
        ([cas(0, 1, "0", "a", True), cas(0, 1, "0", "b", True)], False),
        ([cas(0, 1, "0", "a", True), cas(0, 1, "0", "b", False, "a")], True),
        ([cas(0, 1, "0", "a", False, "0")], False),
    ],
)
def test_the_checker(history: list[Operation], expected: bool) -> None:
    assert is_linearizable(history, "0") is expected
