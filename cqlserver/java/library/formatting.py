"""String.format: conversions with flags, width and precision (java.util.Formatter), for the root locale."""

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from cqlserver.java.errors import thrown
from cqlserver.java.run import Run
from cqlserver.java.values import Byte, Character, Long, Short, class_name, hash_code, to_string

_SPECIFIER = re.compile(r"%(\d+\$)?([-#+ 0,(<]*)(\d+)?(\.\d+)?([tT])?([a-zA-Z%])")
WIDTH_MAX: Final = 1_000_000


def formatted(run: Run, pattern: str, arguments: list[Any] | None) -> str:
    """Raises what Java throws: all of java.util's IllegalFormatException family."""
    given = [None] if arguments is None else arguments
    pieces: list[str] = []
    at = ordinary = 0
    last = -1
    for match in _SPECIFIER.finditer(pattern):
        pieces.append(_literal(pattern[at : match.start()]))
        at = match.end()
        conversion = match[6]
        if match[5]:
            raise thrown("UnsupportedOperationException", "dates in formats are not supported by this server")
        width = int(match[3]) if match[3] else -1
        if width > WIDTH_MAX:
            run.take(width * 64)
        if conversion in "n%":
            pieces.append("\n" if conversion == "n" else _padded("%", match[2], width))
            continue
        if "<" in match[2]:
            index = last
        elif match[1]:
            index = int(match[1][:-1]) - 1
        else:
            index, ordinary = ordinary, ordinary + 1
        last = index
        if not 0 <= index < len(given):
            raise thrown("java.util.MissingFormatArgumentException", f"Format specifier '{match[0]}'")
        precision = int(match[4][1:]) if match[4] else -1
        text = _converted(match, conversion, given[index], match[2], width, precision)
        pieces.append(text)
        run.take(len(text))
    pieces.append(_literal(pattern[at:]))
    return "".join(pieces)


def _literal(text: str) -> str:
    if "%" in text:
        after = text[text.index("%") + 1 :][:1]
        raise thrown("java.util.UnknownFormatConversionException", f"Conversion = '{after or '%'}'")
    return text


def _padded(text: str, flags: str, width: int) -> str:
    return text.ljust(width) if "-" in flags else text.rjust(width)


def _wrong(conversion: str, value: Any) -> Exception:
    return thrown("java.util.IllegalFormatConversionException", f"{conversion} != {class_name(value)}")


def _converted(match: "re.Match[str]", conversion: str, value: Any, flags: str, width: int, precision: int) -> str:
    kind = conversion.lower()
    if "-" in flags and width < 0:
        raise thrown("java.util.MissingFormatWidthException", match[0])
    if kind == "s":
        text = to_string(value)
    elif kind == "b":
        text = to_string(value) if isinstance(value, bool) else "false" if value is None else "true"
    elif kind == "h":
        text = "null" if value is None else format(hash_code(value) & 0xFFFFFFFF, "x")
    elif kind == "c":
        text = _character(conversion, value)
    elif kind in "doxfeg":
        text = _number(conversion, value, flags, width, precision)
        return text.upper() if conversion.isupper() else text
    else:
        raise thrown("java.util.UnknownFormatConversionException", f"Conversion = '{conversion}'")
    if precision >= 0:
        if kind == "c":
            raise thrown("java.util.IllegalFormatPrecisionException", str(precision))
        text = text[:precision]
    return _padded(text.upper() if conversion.isupper() else text, flags, width)


def _character(conversion: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Character | Byte | Short) or (isinstance(value, int) and type(value) is int):
        return chr(value)
    raise _wrong(conversion, value)


def _number(conversion: str, value: Any, flags: str, width: int, precision: int) -> str:
    if value is None:
        return _padded("null", flags, width)
    kind = conversion.lower()
    if kind in "dox":
        if isinstance(value, bool) or not isinstance(value, int) or isinstance(value, Character):
            raise _wrong(conversion, value)
        if precision >= 0:
            raise thrown("java.util.IllegalFormatPrecisionException", str(precision))
        if kind == "d":
            digits = format(abs(value), ",d" if "," in flags else "d")
            return _signed(digits, value < 0, flags, width)
        bits = {Long: 64, Short: 16, Byte: 8}.get(type(value), 32)
        digits = format(value & ((1 << bits) - 1) if value < 0 else value, kind)
        if "#" in flags:
            digits = ("0x" if kind == "x" else "0") + digits
        return digits.rjust(width, "0") if "0" in flags else _padded(digits, flags, width)
    if isinstance(value, int) or not isinstance(value, float | Decimal):
        raise _wrong(conversion, value)
    if isinstance(value, float) and not math.isfinite(value):
        text = "NaN" if math.isnan(value) else "Infinity"
        return _signed(text, value < 0, flags.replace("0", ""), width)
    exact = Decimal(to_string(value)) if isinstance(value, float) else value
    is_negative = math.copysign(1.0, value) < 0 if isinstance(value, float) else value < 0
    return _signed(_digits(kind, abs(exact), 6 if precision < 0 else precision, flags), is_negative, flags, width)


def _digits(kind: str, value: Decimal, precision: int, flags: str) -> str:
    if kind == "g":
        precision = precision or 1
        if value and not Decimal("0.0001") <= value < Decimal(10) ** precision:
            return _scientific(value, precision - 1)
        whole = len(str(int(value))) if value >= 1 else 1 + (value.adjusted() if value else 0)
        return _fixed(value, max(precision - whole, 0), flags)
    return _scientific(value, precision) if kind == "e" else _fixed(value, precision, flags)


def _fixed(value: Decimal, precision: int, flags: str) -> str:
    from decimal import localcontext

    with localcontext() as context:
        context.prec = max(value.adjusted() + precision + 5, 30)
        rounded = value.quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP)
    return format(rounded, ",f" if "," in flags else "f")


def _scientific(value: Decimal, precision: int) -> str:
    if not value:
        return f"{'0.' + '0' * precision if precision else '0'}e+00"
    exponent = value.adjusted()
    mantissa = _fixed(value.scaleb(-exponent), precision, "")
    if mantissa.startswith("10"):
        exponent += 1
        mantissa = _fixed(value.scaleb(-exponent), precision, "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _signed(digits: str, is_negative: bool, flags: str, width: int) -> str:
    sign = "-" if is_negative else "+" if "+" in flags else " " if " " in flags else ""
    end = ""
    if is_negative and "(" in flags:
        sign, end = "(", ")"
    if "0" in flags:
        digits = digits.rjust(width - len(sign) - len(end), "0")
    return _padded(sign + digits + end, flags, width)
