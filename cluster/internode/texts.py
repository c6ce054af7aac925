"""Byte strings one behind the other, each with its length before it: the bodies of most messages."""

from collections.abc import Iterable

from protocol.errors import PeerError
from protocol.types.vints import decode_unsigned, encode_unsigned


def encode_texts(texts: Iterable[bytes]) -> bytes:
    parts: list[bytes] = []
    for text in texts:
        parts += (encode_unsigned(len(text)), text)
    return b"".join(parts)


def decode_texts(data: bytes, at: int = 0) -> list[bytes]:
    """From offset `at` to the end. Raises PeerError where a length can't be."""
    texts = []
    try:
        while at < len(data):
            length, at = decode_unsigned(data, at)
            if length > len(data) - at:
                raise PeerError(f"a message with a text of {length} bytes where {len(data) - at} are left")
            texts.append(data[at : at + length])
            at += length
    except IndexError:
        raise PeerError("a message ends within a length") from None
    return texts
