"""now() and its kin, conversions between times, and floor() (functions/TimeFcts.java)."""

from collections.abc import Callable

from cqlserver.functions.calendars import date_from_ms, date_to_ms, wrap_ms
from cqlserver.functions.model import Arguments, CallContext, Function, ScalarBody, ScalarFunction
from protocol.errors import InvalidRequest
from protocol.types import BIGINT, DATE, DURATION, TIME, TIMESTAMP, TIMEUUID, UUID, CqlType, Duration
from protocol.types.calendar import DAY_MS, add_months, civil_from_days
from protocol.types.uuids import timeuuid_bytes, timeuuid_unix_100ns

_MIN_CLOCK_AND_NODE = 0x8080808080808080
_MAX_CLOCK_AND_NODE = 0x7F7F7F7F7F7F7F7F


def _maybe_ms(type_: CqlType, data: bytes | None) -> int | None:
    """The moment that a date, timestamp or timeuuid says; None for null."""
    if not data:
        return None
    if type_ is TIMESTAMP:
        return int.from_bytes(data, "big", signed=True)
    if type_ is DATE:
        return date_to_ms(data)
    ticks = timeuuid_unix_100ns(data)
    return ticks // 10_000 if ticks >= 0 else -(-ticks // 10_000)


def _conversion(type_: CqlType, convert: Callable[[int], bytes]) -> ScalarBody:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        moment = _maybe_ms(type_, arguments[0])
        return None if moment is None else convert(moment)

    return body


def _timestamp(time_ms: int) -> bytes:
    return TIMESTAMP.encode(wrap_ms(time_ms))


def to_date_body(source: CqlType) -> ScalarBody:
    return _conversion(source, date_from_ms)


def to_timestamp_body(source: CqlType) -> ScalarBody:
    return _conversion(source, _timestamp)


def _min_timeuuid(time_ms: int) -> bytes:
    return timeuuid_bytes(time_ms * 10_000, _MIN_CLOCK_AND_NODE)


def _max_timeuuid(time_ms: int) -> bytes:
    return timeuuid_bytes((time_ms + 1) * 10_000 - 1, _MAX_CLOCK_AND_NODE)


def _now_functions() -> list[Function]:
    def timeuuid(arguments: Arguments, context: CallContext) -> bytes:
        return context.next_timeuuid()

    def timestamp(arguments: Arguments, context: CallContext) -> bytes:
        return _timestamp(context.now_ms())

    def date(arguments: Arguments, context: CallContext) -> bytes:
        return date_from_ms(context.now_ms())

    def time(arguments: Arguments, context: CallContext) -> bytes:
        return TIME.encode(context.now_ns_of_day())

    def uuid(arguments: Arguments, context: CallContext) -> bytes:
        return context.random_uuid()

    bodies: list[tuple[str, CqlType, ScalarBody]] = [("now", TIMEUUID, timeuuid), ("uuid", UUID, uuid)]
    for name, type_, body in (
        ("timeuuid", TIMEUUID, timeuuid),
        ("timestamp", TIMESTAMP, timestamp),
        ("date", DATE, date),
        ("time", TIME, time),
    ):
        bodies.append((f"current_{name}", type_, body))
        bodies.append((f"current{name}", type_, body))
    return [ScalarFunction(n, (), t, body=b, is_deterministic=False) for n, t, b in bodies]


def time_functions() -> list[Function]:
    made = _now_functions()
    for names, source, target, convert in (
        (("min_timeuuid", "mintimeuuid"), TIMESTAMP, TIMEUUID, _min_timeuuid),
        (("max_timeuuid", "maxtimeuuid"), TIMESTAMP, TIMEUUID, _max_timeuuid),
        (("to_date", "todate"), TIMEUUID, DATE, date_from_ms),
        (("to_date", "todate"), TIMESTAMP, DATE, date_from_ms),
        (("to_timestamp", "totimestamp"), TIMEUUID, TIMESTAMP, _timestamp),
        (("to_timestamp", "totimestamp"), DATE, TIMESTAMP, _timestamp),
        (("to_unix_timestamp", "tounixtimestamp"), TIMEUUID, BIGINT, _timestamp),
        (("to_unix_timestamp", "tounixtimestamp"), TIMESTAMP, BIGINT, _timestamp),
        (("to_unix_timestamp", "tounixtimestamp"), DATE, BIGINT, _timestamp),
    ):
        body = _conversion(source, convert)
        made.extend(ScalarFunction(name, (source,), target, body=body) for name in names)
    for source, result, start in ((TIMESTAMP, TIMESTAMP, TIMESTAMP), (TIMEUUID, TIMESTAMP, TIMESTAMP), (DATE, DATE, DATE)):
        floor = _floor_body(source, result)
        made.append(ScalarFunction("floor", (source, DURATION), result, body=floor))
        made.append(ScalarFunction("floor", (source, DURATION, start), result, body=floor))
    made.append(ScalarFunction("floor", (TIME, DURATION), TIME, body=_floor_time))
    return made


def _floor_body(source: CqlType, result: CqlType) -> ScalarBody:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        moment = _maybe_ms(source, arguments[0])
        duration = DURATION.decode(arguments[1]) if arguments[1] else None
        start = _maybe_ms(result, arguments[2]) if len(arguments) > 2 else 0
        if moment is None or duration is None or start is None:
            return None
        if result is DATE:
            if duration.nanoseconds:
                raise InvalidRequest(
                    f"The floor on date values cannot be computed for the {duration} duration as precision is below 1 day"
                )
        elif duration.nanoseconds % 1_000_000:
            raise InvalidRequest(
                f"The floor cannot be computed for the {duration} duration as precision is below 1 millisecond"
            )
        floored = _floor(moment, duration, start)
        return date_from_ms(floored) if result is DATE else _timestamp(floored)

    return body


def _floor(moment: int, duration: Duration, start: int) -> int:
    """The last multiple of `duration` from `start` on that isn't behind `moment` (Duration.floorTimestamp)."""
    if start > moment:
        raise InvalidRequest("The floor function starting time is greater than the provided time")
    if duration.is_negative:
        raise InvalidRequest("Negative durations are not supported by the floor function")
    fixed = duration.days * DAY_MS + duration.nanoseconds // 1_000_000
    if not duration.months:
        return moment - (moment - start) % fixed if fixed else moment
    year, month, _ = civil_from_days(moment // DAY_MS)
    start_year, start_month, _ = civil_from_days(start // DAY_MS)
    count = ((year - start_year) * 12 + month - start_month) // duration.months
    anchor = add_months(start, count * duration.months)
    if not fixed:
        return anchor
    floor = anchor + count * fixed
    while floor > moment:
        count -= 1
        anchor = add_months(anchor, -duration.months)
        floor = anchor + count * fixed
    return max(start, floor)


def _floor_time(arguments: Arguments, context: CallContext) -> bytes | None:
    if not arguments[0] or not arguments[1]:
        return None
    duration = DURATION.decode(arguments[1])
    assert duration is not None
    if duration.is_negative:
        raise InvalidRequest("Negative durations are not supported by the floor function")
    if duration.months or duration.days or duration.nanoseconds > 86_400_000_000_000:
        raise InvalidRequest("For time values, the floor can only be computed for durations smaller that a day")
    nanos = int.from_bytes(arguments[0], "big")
    return TIME.encode(nanos - nanos % duration.nanoseconds if duration.nanoseconds else nanos)
