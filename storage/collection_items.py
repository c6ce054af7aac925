"""Collections and tuples as serialised values, taken apart without decoding their elements.

`[i32 count]` (of a tuple: none), then per element, key and value alternating in a map, `[i32 length][bytes]`, length -1 for
null.
"""

from struct import Struct

from storage.environment.strands import long_work, pause

_unpack_from = Struct(">i").unpack_from
BYTES_PER_GO_MAX = 16_384
"""Of a collection that is taken apart in a go of the loop."""


def split_items(data: bytes, offset: int = 0) -> list[bytes | None]:
    """All elements from `offset` to the end. Lengths are trusted."""
    items: list[bytes | None] = []
    end = len(data)
    if end > BYTES_PER_GO_MAX:
        long_work()
        return _split_in_turns(data, offset)
    while offset < end:
        length: int = _unpack_from(data, offset)[0]
        offset += 4
        if length < 0:
            items.append(None)
        else:
            items.append(data[offset : offset + length])
            offset += length
    return items


def _split_in_turns(data: bytes, offset: int) -> list[bytes | None]:
    items: list[bytes | None] = []
    end = len(data)
    while offset < end:
        if not len(items) & 0xFF:
            pause()
        length: int = _unpack_from(data, offset)[0]
        offset += 4
        if length < 0:
            items.append(None)
        else:
            items.append(data[offset : offset + length])
            offset += length
    return items


def split_collection(data: bytes) -> list[bytes | None]:
    """The elements of a list or set; keys and values in turn of a map."""
    return split_items(data, 4)
