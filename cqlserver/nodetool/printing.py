"""Tables, sizes, numbers, JSON and YAML as Cassandra's nodetool prints them."""

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


def table(rows: Sequence[Sequence[str]], between: str = " ") -> str:
    """Rows in columns (TableBuilder): every cell is as wide as its column's widest, the last one too."""
    widths: list[int] = []
    for row in rows:
        widths += [0] * (len(row) - len(widths))
        for index, cell in enumerate(row):
            widths[index] = max(widths[index], len(cell))
    lines = (between.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def file_size(size: float) -> str:
    """FileUtils.stringifyFileSize: '658 bytes', '114.69 KiB'."""
    power = 0
    while power < len(_UNITS) - 1 and size >= 1024 ** (power + 1):
        power += 1
    return f"{decimals(size / 1024**power, 2)} {_UNITS[power]}"


def memory_size(size: int) -> str:
    """FBUtilities.prettyPrintMemory: '0B', '6.205KiB'."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power:
            return f"{size / (1 << power):.3f}{unit}"
    return f"{size}B"


def decimals(value: float, places: int) -> str:
    """Java's DecimalFormat("#.##"): at most so many, no zeros at the end."""
    if math.isnan(value):
        return "NaN"
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def double(value: float | int | str | None) -> str:
    """Java's Double.toString."""
    if value in ("NaN", None) or math.isnan(number := float(value)):
        return "NaN"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    mantissa, _, exponent = f"{Decimal(repr(number)).normalize():E}".partition("E")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def in_java_order(entries: Mapping[str, Any], capacity: int = 16) -> dict[str, Any]:
    """Entries in the order in which a Java HashMap gives them; of names in one of its buckets the first one first.
    `capacity`: what it begins with; 1 for one that came over the network."""
    while len(entries) > capacity * 3 // 4:
        capacity *= 2

    def bucket(name: str) -> int:
        number = 0
        for unit in memoryview(name.encode("utf-16-le")).cast("H"):
            number = (31 * number + unit) & 0xFFFFFFFF
        return (number ^ number >> 16) & capacity - 1

    return dict(sorted(entries.items(), key=lambda entry: bucket(entry[0])))


def as_json(value: Mapping[str, Any]) -> str:
    """As Jackson's default pretty printer has it, with a line's end. What is not a number is null, but deeper within."""
    content = {name: _without_nan(of) if isinstance(of, Mapping) else of for name, of in value.items()}
    return _json(content, "") + "\n"


def _without_nan(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in entries.items()}


def _json(value: object, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping):
        if not value:
            return "{ }"
        items = ",\n".join(f"{inner}{json.dumps(str(name))} : {_json(of, inner)}" for name, of in value.items())
        return f"{{\n{items}\n{indent}}}"
    if isinstance(value, (list, tuple)):
        if not value:
            return "[ ]"
        return f"[ {', '.join(_json(of, indent) for of in value)} ]"
    if isinstance(value, float) and math.isnan(value):
        return '"NaN"'
    return json.dumps(value, ensure_ascii=False)


def as_yaml(value: object) -> str:
    """As SnakeYAML's block style has it, with an empty line behind it."""
    return "\n".join(_yaml_lines(value, "")) + "\n\n"


def _yaml_lines(value: object, indent: str) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, of in value.items():
            if isinstance(of, Mapping) and of:
                yield f"{indent}{name}:"
                yield from _yaml_lines(of, indent + "  ")
            elif isinstance(of, (list, tuple)) and of:
                yield f"{indent}{name}:"
                yield from _yaml_lines(of, indent)
            else:
                yield f"{indent}{name}: {_yaml_scalar(of)}"
    elif isinstance(value, (list, tuple)):
        for of in value:
            lines = list(_yaml_lines(of, "")) if isinstance(of, (Mapping, list, tuple)) else [_yaml_scalar(of)]
            yield f"{indent}- {lines[0]}"
            yield from (f"{indent}  {line}" for line in lines[1:])
    else:
        yield indent + _yaml_scalar(value)


def _yaml_scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    if isinstance(value, float):
        return ".NaN" if math.isnan(value) else repr(value)
    if isinstance(value, int):
        return str(value)
    return _yaml_text(str(value))


def _yaml_text(text: str) -> str:
    """Plain where YAML reads it back as a text, else in single quotes."""
    is_number = text.replace(".", "", 1).replace("-", "", 1).replace(":", "").isdigit()
    odd = text[:1] in ("", *"{}[]&*#?|-<>=!%@`\"',:") or ": " in text or text in ("null", "true", "false")
    odd = odd or (text[:4].isdigit() and text[4:5] == "-")
    return "'" + text.replace("'", "''") + "'" if odd or is_number else text


def local_time(time_ms: int) -> str:
    """As Java's LocalDateTime has it: '2026-11-27T17:36:57.379', zeros at the end left out by three."""
    seconds, ms = divmod(time_ms, 1000)
    text = time.strftime("%Y-%m-%dT%H:%M", time.localtime(seconds))
    second = time.localtime(seconds).tm_sec
    if ms:
        return f"{text}:{second:02}.{ms:03}"
    return f"{text}:{second:02}" if second else text
