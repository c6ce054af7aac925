"""What is counted becomes rates and distributions, now and then."""

import trio

from cqlserver.metrics.rates import TICK_S
from cqlserver.node import Node


async def tick_forever(node: Node) -> None:
    """Until cancelled."""
    while True:
        await trio.sleep(TICK_S)
        node.tick()
