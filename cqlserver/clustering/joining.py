"""Whether a server has to come into its ring first, and its way there as a task that waits."""

from typing import TypeVar

import trio

from cluster.coordination.outcome import Outcome
from cluster.movements.mode import BootstrapState, Mode
from cqlserver.clustering.member import Member
from cqlserver.node import Node
from cqlserver.program.server import StartupError
from cqlserver.system.movements import maybe_bootstrap_state
from protocol.errors import MovementRefused

T = TypeVar("T")

LOOK_S = 0.05
_DECOMMISSIONED = (
    "This node was decommissioned and will not rejoin the ring unless cassandra.override_decommission=true has been set, or "
    "all existing data is removed and the node is bootstrapped again"
)
_UNSAFE_REPLACE = (
    "Replacing a node without bootstrapping risks invalidating consistency guarantees as the expected data may not be "
    "present until repair is run. To perform this operation, please restart with -Dcassandra.allow_unsafe_replace=true"
)


def place_in_ring(node: Node, is_seed: bool) -> None:
    """Says in `node.bootstrapped` whether it is a member, or to become one. Raises StartupError."""
    state, ring = maybe_bootstrap_state(node.engine), node.config.ring
    if state is BootstrapState.DECOMMISSIONED and not ring.overrides_decommission:
        raise StartupError(_DECOMMISSIONED)
    is_new = state is None and not is_seed
    has_left = state is not None and state is not BootstrapState.COMPLETED
    joins = ring.auto_bootstrap and (is_new or has_left)
    if ring.replaces is not None and state is not BootstrapState.COMPLETED and not joins:
        raise StartupError(_UNSAFE_REPLACE)
    node.bootstrapped = (BootstrapState.IN_PROGRESS if joins else BootstrapState.COMPLETED).value


async def join(node: Node, member: Member) -> None:
    """Into the ring, where it is not in it yet. One whose streams fail waits until somebody has it resume. Raises
    StartupError."""
    if node.bootstrapped == BootstrapState.COMPLETED.value:
        return
    movements = member.cluster.movements
    try:
        await ended(movements.join(node.config.ring.replaces))
    except MovementRefused as error:
        raise StartupError(str(error)) from error
    except Exception:  # noqa: BLE001 - it is told in the log
        while movements.mode is not Mode.NORMAL:
            await trio.sleep(LOOK_S)


async def ended(outcome: Outcome[T]) -> T:
    """What it comes to. Raises what it failed with."""
    token, event = trio.lowlevel.current_trio_token(), trio.Event()
    outcome.when_done(lambda: token.run_sync_soon(event.set))
    await event.wait()
    return outcome.result
