"""The proleptic Gregorian calendar in plain integers, without the limits of datetime (years 1 to 9999).

Days count from 1970-01-01; years are astronomical (year 0 is 1 BC), as in java.time.
"""

DAY_MS = 86_400_000

_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year: int, month: int) -> int:
    return 29 if month == 2 and is_leap(year) else _MONTH_DAYS[month - 1]


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. Years begin in March here, so that the leap day comes last."""
    shifted = year - (month <= 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day)."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day_of_year - (153 * shifted_month + 2) // 5 + 1


def year_text(year: int) -> str:
    """At least four digits, with a sign where they are more or negative (java.time's SignStyle.EXCEEDS_PAD)."""
    if year > 9999:
        return f"+{year}"
    return f"{year:04d}" if year >= 0 else f"-{-year:04d}"


# The first day of the Gregorian calendar, 1582-10-15, where java.util.GregorianCalendar changes over.
_CUTOVER_DAYS = -141_427


def _julian_days(year: int, month: int, day: int) -> int:
    shifted = year - (month <= 2)
    return shifted * 365 + shifted // 4 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - 719_470


def _julian_from_days(days: int) -> tuple[int, int, int]:
    cycle, day_of_cycle = divmod(days + 719_470, 1461)
    year_of_cycle = min(day_of_cycle // 365, 3)
    day_of_year = day_of_cycle - year_of_cycle * 365
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return cycle * 4 + year_of_cycle + (month <= 2), month, day_of_year - (153 * shifted_month + 2) // 5 + 1


_INT_LIMIT = 1 << 31


def add_months(time_ms: int, months: int) -> int:
    """The same time of day in another month; a day that this month lacks becomes its last. Months before 1582-10-15 are
    those of the Julian calendar, because Cassandra counts with java.util.Calendar here."""
    days, rest = divmod(time_ms, DAY_MS)
    year, month, day = civil_from_days(days) if days >= _CUTOVER_DAYS else _julian_from_days(days)
    # an int of Java's, which may overflow
    years, month_index = divmod((month - 1 + months + _INT_LIMIT) % (2 * _INT_LIMIT) - _INT_LIMIT, 12)
    year, month = year + years, month_index + 1
    moved = days_from_civil(year, month, min(day, month_length(year, month)))
    if moved < _CUTOVER_DAYS:
        last = 29 if month == 2 and year % 4 == 0 else _MONTH_DAYS[month_index]
        moved = _julian_days(year, month, min(day, last))
    return moved * DAY_MS + rest
