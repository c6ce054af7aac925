"""Bytes that are no value of their type: literals of hexadecimal digits, and casts, put anything into tuples.

Cassandra's readers run over the end of such bytes, and the exception of Java goes to the client.
"""

from struct import error as StructError
from typing import Final

from protocol.errors import ServerError
from protocol.types import MarshalError

UNREADABLE: Final = (MarshalError, IndexError, StructError, UnicodeDecodeError)
"""What reading them raises here."""


def unreadable() -> ServerError:
    """Cassandra's answer."""
    return ServerError("java.lang.IndexOutOfBoundsException")
