"""The text 'now' as a timestamp (TimestampSerializer.dateStringToTimestamp). Types have no clock: it is replaced before."""

from typing import Any

from cqlserver.functions.model import CallContext
from protocol.types import TIMESTAMP, CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType

_NOW = "now"


def timestamp_text(text: str, calls: CallContext) -> str:
    """The text, or in place of 'now' in any case the milliseconds since 1970."""
    return str(calls.now_ms()) if text.lower() == _NOW else text


def json_with_now(value: Any, type_: CqlType, calls: CallContext) -> Any:
    """A parsed JSON value for `type_` with each 'now' that stands for a timestamp replaced."""
    if type_ is TIMESTAMP:
        return timestamp_text(value, calls) if isinstance(value, str) else value
    if not type_.referenced_types:
        return value

    def inner(part: Any, of: CqlType) -> Any:
        return json_with_now(part, of, calls)

    match type_:
        case ListType() | SetType() | VectorType() if isinstance(value, list):
            return [inner(part, type_.elements) for part in value]
        case MapType() if isinstance(value, dict):
            return {inner(key, type_.keys): inner(part, type_.values) for key, part in value.items()}
        case UserType() if isinstance(value, dict):
            fields = dict(zip(type_.field_names, type_.field_types, strict=True))
            return {name: inner(part, fields[name]) if name in fields else part for name, part in value.items()}
        case TupleType() if isinstance(value, list) and len(value) == len(type_.elements):
            return [inner(part, of) for part, of in zip(value, type_.elements, strict=True)]
    return value


def mentions_now(text: str) -> bool:
    """Whether a JSON text may have such a value: most have none, and are not looked through."""
    return _NOW in text.lower()
