"""What functions get of Cassandra: UDTValue, TupleValue, LocalDate, Duration, and the context that makes such values."""

from collections.abc import Callable
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.codecs import encoder, java_type, nullable_decoder
from cqlserver.java.context import Context
from cqlserver.java.cql_values import TYPES_PACKAGE, ByteBuffer, Duration, LocalDate, Parts, TupleValue, UDTValue
from cqlserver.java.errors import thrown
from cqlserver.java.operators import default_of
from cqlserver.java.types import BOXES, PRIMITIVES
from cqlserver.java.values import to_int
from protocol.types import CqlType
from protocol.types.calendar import civil_from_days, days_from_civil

_NO_CODEC = f"{TYPES_PACKAGE}.exceptions.CodecNotFoundException"
# suffix of getter and setter -> Java type, and the box or class of the codec that is looked for
_SIMPLE = {
    "Bool": "boolean",
    "Byte": "byte",
    "Short": "short",
    "Int": "int",
    "Long": "long",
    "Float": "float",
    "Double": "double",
    "String": "String",
    "Timestamp": "Date",
    "Date": "types.LocalDate",
    "Bytes": "ByteBuffer",
    "Varint": "BigInteger",
    "Decimal": "BigDecimal",
    "UUID": "UUID",
    "Inet": "InetAddress",
    "UDTValue": "UDTValue",
    "TupleValue": "TupleValue",
}
_FULL = {
    "String": "java.lang.String",
    "Date": "java.util.Date",
    "types.LocalDate": f"{TYPES_PACKAGE}.LocalDate",
    "ByteBuffer": "java.nio.ByteBuffer",
    "BigInteger": "java.math.BigInteger",
    "BigDecimal": "java.math.BigDecimal",
    "UUID": "java.util.UUID",
    "InetAddress": "java.net.InetAddress",
    "UDTValue": f"{TYPES_PACKAGE}.UDTValue",
    "TupleValue": f"{TYPES_PACKAGE}.TupleValue",
}


def _index(value: Parts, at: int | str) -> int:
    if isinstance(at, str):
        assert isinstance(value, UDTValue)
        return value.index(at)
    if not 0 <= at < len(value.values):
        raise thrown("ArrayIndexOutOfBoundsException", f"Index {at} out of bounds for length {len(value.values)}")
    return at


def _checked(value: Parts, at: int, wanted: str) -> CqlType:
    type_ = value.types[at]
    if java_type(type_).name != wanted:
        raise thrown(_NO_CODEC, f"Codec not found for requested operation: [{_driver_name(type_)} <-> {wanted}]")
    return type_


def _driver_name(type_: CqlType) -> str:
    return type_.cql()


def _getter(java: str) -> Callable[[Parts, Any], Any]:
    primitive = PRIMITIVES.get(java)
    wanted = BOXES[primitive].name if primitive is not None else _FULL[java]
    default = None if primitive is None else default_of(primitive)

    def get(value: Parts, at: Any) -> Any:
        index = _index(value, at)
        _checked(value, index, wanted)
        found = value.values[index]
        return default if found is None else _plain(found) if primitive is not None else found

    return get


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return float(value) if isinstance(value, float) else int(value)


def _setter(java: str) -> Callable[[Parts, Any, Any], Parts]:
    primitive = PRIMITIVES.get(java)
    wanted = BOXES[primitive].name if primitive is not None else _FULL[java]

    def put(value: Parts, at: Any, given: Any) -> Parts:
        index = _index(value, at)
        return _stored(value, index, _checked(value, index, wanted), given)

    return put


def _stored(value: Parts, index: int, type_: CqlType, given: Any) -> Parts:
    """As the value is serialised at once: what it becomes by that is what is kept."""
    if given is None:
        value.values[index] = None
    else:
        value.values[index] = nullable_decoder(type_)(encoder(type_)(given))
    return value


def _collection_getter(name: str) -> Callable[..., Any]:
    def get(value: Parts, at: Any, *classes: Any) -> Any:
        index = _index(value, at)
        type_ = value.types[index]
        found_type = java_type(type_)
        wanted = [c.name for c in classes]
        if found_type.name != name or [str(a.erased) for a in found_type.arguments] != wanted:
            inner = ",".join(wanted)
            raise thrown(_NO_CODEC, f"Codec not found for requested operation: [{_driver_name(type_)} <-> {name}<{inner}>]")
        found = value.values[index]
        return nullable_decoder(type_)(encoder(type_)(found)) if found is not None else _empty(name)

    return get


def _empty(name: str) -> Any:
    from cqlserver.java.containers import ArrayList, LinkedHashMap, LinkedHashSet

    return {"java.util.List": ArrayList, "java.util.Set": LinkedHashSet, "java.util.Map": LinkedHashMap}[name]()


def _collection_setter(name: str) -> Callable[..., Parts]:
    def put(value: Parts, at: Any, given: Any, *classes: Any) -> Parts:
        index = _index(value, at)
        type_ = value.types[index]
        if java_type(type_).name != name:
            raise thrown(_NO_CODEC, f"Codec not found for requested operation: [{_driver_name(type_)} <-> {name}]")
        return _stored(value, index, type_, given)

    return put


def _get_object(value: Parts, at: Any) -> Any:
    return value.values[_index(value, at)]


def _set_null(value: Parts, at: Any) -> Parts:
    value.values[_index(value, at)] = None
    return value


class DataType:
    """What getType gives: good for its text."""

    java_class = f"{TYPES_PACKAGE}.UserType"

    def __init__(self, type_: CqlType) -> None:
        self.type = type_

    def to_string(self) -> str:
        from protocol.types import UserType

        if isinstance(self.type, UserType):
            return f"frozen<{self.type.keyspace}.{self.type.name}>"
        return self.type.cql()


def _parts_members(name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    members: dict[str, Any] = {"String toString()": lambda value: value.to_string()}
    for key in keys:
        for suffix, java in _SIMPLE.items():
            members[f"{java} get{suffix}({key})"] = _getter(java)
            members[f"{name} set{suffix}({key},{java})"] = _setter(java)
        members |= {
            f"long getTime({key})": _getter("long"),
            f"{name} setTime({key},long)": _setter("long"),
            f"boolean isNull({key})": lambda value, at: value.values[_index(value, at)] is None,
            f"{name} setToNull({key})": _set_null,
            f"Object getObject({key})": _get_object,
            f"ByteBuffer getBytesUnsafe({key})": _bytes_of,
            f"<T> List<T> getList({key},Class<T>)": _collection_getter("java.util.List"),
            f"<T> Set<T> getSet({key},Class<T>)": _collection_getter("java.util.Set"),
            f"<K,V> Map<K,V> getMap({key},Class<K>,Class<V>)": _collection_getter("java.util.Map"),
            f"<T> {name} setList({key},List<T>)": _collection_setter("java.util.List"),
            f"<T> {name} setList({key},List<T>,Class<T>)": _collection_setter("java.util.List"),
            f"<T> {name} setSet({key},Set<T>)": _collection_setter("java.util.Set"),
            f"<T> {name} setSet({key},Set<T>,Class<T>)": _collection_setter("java.util.Set"),
            f"<K,V> {name} setMap({key},Map<K,V>)": _collection_setter("java.util.Map"),
            f"<K,V> {name} setMap({key},Map<K,V>,Class<K>,Class<V>)": _collection_setter("java.util.Map"),
        }
    return members


def _bytes_of(value: Parts, at: Any) -> ByteBuffer | None:
    index = _index(value, at)
    found = value.values[index]
    return None if found is None else ByteBuffer(bytearray(encoder(value.types[index])(found)))


def _date(year: int, month: int, day: int) -> LocalDate:
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        raise thrown("IllegalArgumentException")
    return LocalDate(days_from_civil(year, month, day))


def _date_part(index: int) -> Callable[[LocalDate], int]:
    return lambda date: civil_from_days(date.days)[index]


def _duration(months: int, days: int, nanoseconds: int) -> Duration:
    if any(p < 0 for p in (months, days, nanoseconds)) and any(p > 0 for p in (months, days, nanoseconds)):
        raise thrown(
            "IllegalArgumentException",
            f"All values must be either negative or positive, got {months} months, {days} days, {nanoseconds} nanoseconds",
        )
    return Duration(months, days, nanoseconds)


def sources() -> list[ClassSource]:
    udt, tuple_ = f"{TYPES_PACKAGE}.UDTValue", f"{TYPES_PACKAGE}.TupleValue"
    date, duration = f"{TYPES_PACKAGE}.LocalDate", f"{TYPES_PACKAGE}.Duration"
    return [
        ClassSource(
            udt,
            _parts_members(udt, ("int", "String"))
            | {f"{TYPES_PACKAGE}.UserType getType()": lambda value: DataType(value.type)},
            lambda value: isinstance(value, UDTValue),
            is_abstract=True,
        ),
        ClassSource(
            tuple_,
            _parts_members(tuple_, ("int",)) | {f"{TYPES_PACKAGE}.TupleType getType()": lambda value: DataType(value.type)},
            lambda value: isinstance(value, TupleValue),
            is_abstract=True,
        ),
        ClassSource(f"{TYPES_PACKAGE}.UserType", {}, lambda value: isinstance(value, DataType), is_abstract=True),
        ClassSource(f"{TYPES_PACKAGE}.TupleType", {}, lambda value: isinstance(value, DataType), is_abstract=True),
        ClassSource(
            date,
            {
                f"static {date} fromDaysSinceEpoch(int)": LocalDate,
                f"static {date} fromMillisSinceEpoch(long)": lambda ms: LocalDate(to_int(ms // 86_400_000)),
                f"static {date} fromYearMonthDay(int,int,int)": _date,
                "int getDaysSinceEpoch()": lambda value: value.days,
                "long getMillisSinceEpoch()": lambda value: value.days * 86_400_000,
                "int getYear()": _date_part(0),
                "int getMonth()": _date_part(1),
                "int getDay()": _date_part(2),
            },
            lambda value: isinstance(value, LocalDate),
            is_abstract=True,
        ),
        ClassSource(
            duration,
            {
                f"static {duration} newInstance(int,int,long)": _duration,
                "int getMonths()": lambda value: value.months,
                "int getDays()": lambda value: value.days,
                "long getNanoseconds()": lambda value: value.nanoseconds,
            },
            lambda value: isinstance(value, Duration),
            is_abstract=True,
        ),
        ClassSource(
            "org.apache.cassandra.cql3.functions.UDFContext",
            {
                f"{udt} newArgUDTValue(String)": Context.new_argument_udt,
                f"{udt} newArgUDTValue(int)": Context.new_argument_udt,
                f"{udt} newReturnUDTValue()": Context.new_return_udt,
                f"{udt} newUDTValue(String)": Context.new_udt,
                f"{tuple_} newArgTupleValue(String)": Context.new_argument_tuple,
                f"{tuple_} newArgTupleValue(int)": Context.new_argument_tuple,
                f"{tuple_} newReturnTupleValue()": Context.new_return_tuple,
                f"{tuple_} newTupleValue(String)": Context.new_tuple,
            },
            lambda value: isinstance(value, Context),
            is_abstract=True,
        ),
    ]
