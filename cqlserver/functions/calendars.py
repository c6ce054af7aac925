"""Between dates, timestamps and timeuuids, as values: all over milliseconds since 1970 (db/marshal/TemporalType.java)."""

from protocol.types.calendar import DAY_MS

_LONG = 1 << 64


def wrap_ms(time_ms: int) -> int:
    """Milliseconds as Java's long holds them."""
    return ((time_ms + (1 << 63)) & (_LONG - 1)) - (1 << 63)


def date_to_ms(data: bytes) -> int:
    return (int.from_bytes(data, "big") - (1 << 31)) * DAY_MS


def date_from_ms(time_ms: int) -> bytes:
    """The day of a moment. Java's Duration.toDays rounds towards zero, so the days before 1970 begin a day late."""
    seconds = time_ms // 1000
    days = seconds // 86_400 if seconds >= 0 else -(-seconds // 86_400)
    return ((days + (1 << 31)) & 0xFFFFFFFF).to_bytes(4, "big")
