"""Timestamps from and to text: every pattern that Cassandra's TimestampSerializer accepts.

A date and time, `y-M-d'T'H:m[:s][.fraction]` (or a space for the T), or a date `yyyy-MM-dd`, each with an optional
zone: an offset (Z, +01, +0100, +01:00) or, behind a space, a name. Without a zone it is UTC. Days beyond the end of a
month are that month's last.
"""

import re
from datetime import UTC, datetime, timedelta

from protocol.types.base import MarshalError
from protocol.types.calendar import DAY_MS, civil_from_days, days_from_civil, month_length, year_text
from protocol.types.zone_names import REGION_OF_NAME

_RAW = re.compile(r"-?[0-9]+")
_DATE_TIME = re.compile(
    r"([0-9]{1,19})-([0-9]{1,19})-([0-9]{1,19})[T ]"
    r"([0-9]{1,19}):([0-9]{1,19})(?::([0-9]{1,19}))?(?:\.([0-9]{0,9}))?(.*)",
    re.DOTALL,
)
_DATE = re.compile(r"(-?[0-9]{4}|[+-][0-9]{5,10})-([0-9]{2})-([0-9]{2})(.*)", re.DOTALL)
_OFFSET = re.compile(r" ?([+-])([0-9]{2})(?::?([0-9]{2}))?")
_ISO_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_NAMED = re.compile(r" (?:(?:UTC|GMT|UT)?([+-])([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?|([A-Za-z][A-Za-z0-9~/._+ -]+))")


def parse_timestamp(text: str) -> int:
    """Milliseconds since 1970; MarshalError. The word 'now' is not of this function: it takes a clock."""
    if _RAW.fullmatch(text):
        if len(text) > 24 or not -(2**63) <= int(text) < 2**63:
            raise MarshalError(f"Unable to make long (for date) from: '{text}'")
        return int(text)
    value = _date_time(text)
    if value is None:
        value = _date_only(text)
    if value is None:
        raise MarshalError(f"Unable to parse a date/time from '{text}'")
    if not -(2**63) <= value < 2**63:
        raise MarshalError("long overflow")
    return value


def _date_time(text: str) -> int | None:
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (int(found[i]) for i in range(1, 6))
    if found[6] is None and found[7] is not None:
        return None  # a fraction of what? java.time leaves the time unresolved
    second = int(found[6] or 0)
    fraction = int((found[7] or "").ljust(3, "0")[:3])
    midnight = hour == 24 and minute == second == fraction == 0
    if not (1 <= year <= 999_999_999 and 1 <= month <= 12 and 1 <= day <= 31 and minute < 60 and second < 60):
        return None
    if hour > 23 and not midnight:
        return None
    day = min(day, month_length(year, month))
    local = days_from_civil(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fraction
    return _in_zone(local, found[8])


def _date_only(text: str) -> int | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if not (abs(year) <= 999_999_999 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    local = days_from_civil(year, month, min(day, month_length(year, month))) * DAY_MS
    zone = found[4]
    if zone in ("z", "Z"):
        return local
    iso = _ISO_OFFSET.fullmatch(zone)
    if iso:
        seconds = _offset_s(iso[1], iso[2], iso[3], iso[4])
        return None if seconds is None else local - seconds * 1000
    if zone and year < 1:
        return None
    return _in_zone(local, zone)


def _in_zone(local_ms: int, zone: str) -> int | None:
    if zone in ("", "Z", " Z"):
        return local_ms
    offset = _OFFSET.fullmatch(zone)
    if offset:
        seconds = _offset_s(offset[1], offset[2], offset[3], None)
        return None if seconds is None else local_ms - seconds * 1000
    named = _NAMED.fullmatch(zone)
    if named is None:
        return None
    if named[5] in ("UTC", "GMT", "UT"):
        return local_ms
    if named[1]:
        seconds = _offset_s(named[1], named[2], named[3], named[4])
        return None if seconds is None else local_ms - seconds * 1000
    return _in_region(local_ms, named[5])


def _offset_s(sign: str, hours: str, minutes: str | None, seconds: str | None) -> int | None:
    minute, second = int(minutes or 0), int(seconds or 0)
    total = int(hours) * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or total > 18 * 3600:
        return None
    return -total if sign == "-" else total


def _in_region(local_ms: int, name: str) -> int | None:
    """Local time of a region. A time that the clocks skip moves on by the gap; of two equal ones the earlier counts."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name.startswith("Etc/"):
        return None
    try:
        region = ZoneInfo(REGION_OF_NAME.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    # The rules beyond datetime's range are those of the same day in a year 400 years off.
    cycle_ms = 146_097 * DAY_MS
    cycles = (local_ms - 730_000_000_000) // cycle_ms if not -62_000_000_000_000 < local_ms < 250_000_000_000_000 else 0
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=local_ms - cycles * cycle_ms)
    offset = local.replace(tzinfo=region).utcoffset() or timedelta(0)
    return local_ms - offset // timedelta(milliseconds=1)


def timestamp_text(time_ms: int, separator: str = "T") -> str:
    """'2011-02-03T04:05:06.007Z'; years before 1 print as years of their era, without saying so, as Cassandra's do."""
    days, rest = divmod(time_ms, DAY_MS)
    year, month, day = civil_from_days(days)
    seconds, millis = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    year_of_era = year if year > 0 else 1 - year
    return f"{year_text(year_of_era)}-{month:02d}-{day:02d}{separator}{hour:02d}:{minute:02d}:{second:02d}.{millis:03d}Z"
