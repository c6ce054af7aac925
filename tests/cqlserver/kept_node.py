"""A node that keeps its data on a disk that fails, without a listener: operations of the control port are run on it."""

from collections.abc import Callable
from typing import TypeVar

import trio
from small_server import small_node

from cqlserver.control.context import Control
from cqlserver.control.saved_state import user_stores
from cqlserver.node import Node
from cqlserver.state import SYSTEM, ClientState
from protocol.requests import QueryOptions
from storage.environment.memory import FaultyDisk
from storage.stored_values import stored_values

T = TypeVar("T")
OPERATIONS = ("open", "write", "sync", "sync_folder", "unlink", "link", "rename", "remove_folder")


class Alone:
    """Nobody else asks anything."""

    async def exclusively(self, action: Callable[[], T]) -> T:
        return action()

    def turn_away(self) -> None:
        pass


class Kept:
    """A node without a listener, whose state is kept and brought back."""

    def __init__(self, disk: FaultyDisk) -> None:
        self.disk = disk
        self.node: Node = small_node(disk)

    def ask(self, *texts: str) -> None:
        state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)
        for text in texts:
            self.node.statements.query(state, text, QueryOptions())
            self.log.write()

    @property
    def log(self):  # type: ignore[no-untyped-def]
        assert self.node.commit_log is not None
        return self.node.commit_log

    def finish(self) -> None:
        self.node.engine.background.finish()

    def flush(self) -> None:
        self.node.engine.flush([store.table.id for store in user_stores(self.node)])
        self.finish()

    def run(self, work: Callable[[Control], object]) -> object:
        async def main() -> object:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._work_forever)
                try:
                    return await work(Control(self.node, Alone()))  # type: ignore[misc]
                finally:
                    nursery.cancel_scope.cancel()

        try:
            return trio.run(main)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _work_forever(self) -> None:
        while True:
            self.finish()
            await trio.lowlevel.checkpoint()

    def state(self) -> dict[str, list[str]]:
        """By table, what its rows say."""
        return {
            store.table.name: sorted((row.get("v") or b"").decode() for row in stored_values(store, self.node.now_s()))
            for store in user_stores(self.node)
        }


def insert(k: int, v: str) -> str:
    return f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, '{v}')"
