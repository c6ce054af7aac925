"""A cluster in one process whose time stands still while anybody has something to do, and jumps when nobody has: what an
operation takes of it is what it waits for, on any machine."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from cqlserver.clustering import in_process
from cqlserver.clustering.in_process import LocalCluster
from cqlserver.clustering.node_configs import node_configs
from cqlserver.control.context import Control
from cqlserver.control.operations import OPERATIONS
from cqlserver.node import Node
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from storage.environment.environment import Environment, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import ThreadWorkers

IDLE_S = 0.03
"""Of real time, for strands that wait for the disk: then time jumps to what is due next."""
START_US = 1_800_000_000_000_000
_BY_NAME = {operation.name: operation for operation in OPERATIONS}


class VirtualClock:
    """A node's. Each look at it takes a microsecond, so that whoever works until a time comes to an end."""

    def __init__(self, clock: MockClock) -> None:
        self._clock, self._looks, self._last_us = clock, 0, 0

    def monotonic(self) -> float:
        self._looks += 1
        return self._clock.current_time() + self._looks / 1_000_000

    def wall_us(self) -> int:
        self._last_us = max(self._last_us + 1, START_US + round(self._clock.current_time() * 1_000_000))
        return self._last_us

    def now_s(self) -> int:
        return START_US // 1_000_000 + int(self._clock.current_time())


class Timed:
    """The cluster, and what may be asked of it; `waited_s`: what the last operation has waited for."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        self.waited_s = 0.0
        self._controls: dict[int, Control] = {}

    def node(self, number: int) -> Node:
        node = self.cluster.parts[number - 1].node
        assert node is not None, number
        return node

    async def took(self, action: Callable[[], Awaitable[object]]) -> object:
        began_s = trio.current_time()
        result = await action()
        self.waited_s = trio.current_time() - began_s
        return result

    async def ask(self, operation: str, node: int = 1, **given: object) -> object:
        """An operation of the control port of one of the nodes."""
        found, part = _BY_NAME[operation], self.cluster.parts[node - 1]
        control = self._controls.get(node)
        if control is None:
            assert part.listener is not None
            listener = self.cluster if node == 1 else part.listener
            control = self._controls[node] = Control(self.node(node), listener, self.cluster)
        return await self.took(lambda: found.run(control, **found.checked(given)))


def run(
    monkeypatch: pytest.MonkeyPatch, script: Callable[[Timed], Awaitable[None]], data: Path | None = None, **named: object
) -> None:
    """A cluster of three, which is started, asked, and stopped."""
    clock = MockClock(autojump_threshold=IDLE_S)

    def opened(config: Config, is_one_of_several: bool = False) -> Node:
        own = VirtualClock(clock)
        environment = Environment(own, Rng(config.host.encode()), FaultyDisk(), ThreadWorkers(own.monotonic))
        return open_node(config, environment, is_one_of_several)

    async def at_once(function: Callable[..., object], *arguments: object) -> object:
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr(in_process, "open_node", opened)
    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    cluster = LocalCluster(node_configs(Config(port=0, data=data, control_port=None, **named), 3))  # type: ignore[arg-type]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            timed = Timed(cluster)
            await timed.took(lambda: nursery.start(cluster.run))
            await script(timed)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)
