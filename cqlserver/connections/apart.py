"""Long answers to clients that compress: they are encoded beside the loop, which each megabyte would hold up for two
milliseconds. What compresses lets go of the interpreter, so an errand does it (storage/environment/errands.py).

Not so where something was written: such an answer waits for the log among others, and is made again where that fails.
"""

from functools import partial
from typing import TYPE_CHECKING, Final

from cqlserver.pending import Steps
from protocol.frames import Encoder

if TYPE_CHECKING:
    from cqlserver.node import Node

APART_BYTES: Final = 1 << 18
"""Of an answer: it takes half a millisecond to compress."""


def is_for_apart(answer: bytes, encoder: Encoder) -> bool:
    return len(answer) > APART_BYTES and encoder.compresses


def encoded_apart(node: "Node", encoder: Encoder, answer: bytes) -> Steps[bytes]:
    """What is to be sent, from the second step on. Until then the answer counts among those that wait to be sent."""
    limits = node.limits
    limits.unsent += len(answer)
    try:
        errand = node.environment.workers.errand(partial(encoder.encode, [answer]))
        yield errand
        return errand.result
    finally:
        limits.unsent -= len(answer)
