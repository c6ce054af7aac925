"""How the bound values of a request become key, order key and wire values: a function written for one statement.

What a fast path does with values is the same each time: unpack lengths and values, check them, cut slices. A loop over
descriptions of the columns takes three times as long as the unrolled code, so that code is written out here, for these
columns in this order, as the standard library does for dataclasses. For (k bigint, c int, v blob, s text) it is

    def take(body, at):
        try:
            n0, v0, n1, v1, n2 = unpack0(body, at)
            if n0 != 8 or n1 != 4 or n2 < 0: return None
            e2 = at + 24 + n2
            n3, = unpack3(body, e2)
            if n3 < 0: return None
            e3 = e2 + 4 + n3
            v3 = body[e2 + 4:e3]
            if not check3(v3): return None
        except StructError:
            return None
        key = v0
        return e3, key, order1(v1), body[at + 12:e3]

Only numbers and these names stand in it: nothing that a client wrote.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, TypeAlias

from cqlserver.plans.fast.values import ASCII_PASSES, Check
from storage.keys import KEY_LENGTH_MAX, OrderKey

Taker: TypeAlias = Callable[[bytes, int], tuple[int, bytes, bytes, bytes] | None]
"""(request, where the values begin) -> (where they end, key, order key, wire values); None: they are not plain."""
VALUES_MAX = 200
"""Statements of more values are not worth the code."""


def compile_taker(
    checks: Sequence[Check],
    key_places: Sequence[int],
    compose_key: Callable[[Sequence[bytes]], bytes],
    ck_places: Sequence[int],
    order_keys: Sequence[OrderKey],
    wire_places: Sequence[int],
) -> Taker:
    """`checks`: of each value, in the order of the request. The places are indexes of values: of the key's columns, of
    the clustering's (as many of them as are bound, with their order keys), of those whose wire values are wanted."""
    names: dict[str, Any] = {"StructError": StructError, "compose": compose_key}
    used = {*key_places, *ck_places}
    lines, places, end = _unpacking(checks, used, names)
    if len(key_places) == 1:
        lines.append(f" key = v{key_places[0]}")
    else:
        lines.append(f" key = compose(({', '.join([f'v{place}' for place in key_places])}))")
    lines.append(f" if not 0 < len(key) <= {KEY_LENGTH_MAX}: return None")
    names |= {f"order{place}": order_key for place, order_key in zip(ck_places, order_keys, strict=True)}
    ck = " + ".join([f"order{place}(v{place})" for place in ck_places]) or "b''"
    wire = " + ".join([f"body[{start}:{stop}]" for start, stop in _slices(wire_places, places)]) or "b''"
    lines.append(f" return {end}, key, {ck}, {wire}")
    exec("\n".join(["def take(body, at):", " try:", *lines]), names)
    taker: Taker = names.pop("take")  # its globals are `names`: a cycle would keep both, there are no full collections
    return taker


def _unpacking(
    checks: Sequence[Check], used: set[int], names: dict[str, Any]
) -> tuple[list[str], list[tuple[str, str]], str]:
    """The lines that unpack and check; where each wire value begins and ends, and where the last one does."""
    lines: list[str] = []
    places: list[tuple[str, str]] = []
    base, offset = "at", 0  # where the next value begins
    fields: list[str] = []  # of the run of values of fixed length until now
    tests: list[str] = []
    run_base, code = base, ">"

    def unpack(place: int) -> None:
        names[f"unpack{place}"] = Struct(code).unpack_from
        lines.append(f"  {', '.join(fields)}, = unpack{place}(body, {run_base})")
        lines.append(f"  if {' or '.join(tests)}: return None")

    for place, (length, check) in enumerate(checks):
        begin = _sum(base, offset)
        if length >= 0:
            offset += 4 + length
            fields += (f"n{place}", f"v{place}")
            tests.append(f"n{place} != {length}")
            code += f"i{length}s"
            places.append((begin, _sum(base, offset)))
            continue
        fields.append(f"n{place}")
        tests.append(f"n{place} < 0")
        code += "i"
        unpack(place)
        start = _sum(base, offset + 4)
        lines.append(f"  e{place} = {start} + n{place}")
        if check is not None or place in used:
            lines.append(f"  v{place} = body[{start}:e{place}]")
        if check is not None:
            names[f"check{place}"] = check
            test = f"check{place}(v{place})"
            if check in ASCII_PASSES:  # without a call where it can be
                test = f"(v{place}.isascii() or {test})"
            lines.append(f"  if not {test}: return None")
        places.append((begin, f"e{place}"))
        base = run_base = f"e{place}"
        offset, fields, tests, code = 0, [], [], ">"
    if fields:
        unpack(len(checks))
    lines += [" except StructError:", "  return None"]
    return lines, places, _sum(base, offset)


def _sum(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset else base


def _slices(wanted: Sequence[int], places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours are cut out together."""
    slices: list[tuple[str, str]] = []
    last = -2
    for place in wanted:
        begin, end = places[place]
        if place == last + 1:
            begin = slices.pop()[0]
        slices.append((begin, end))
        last = place
    return slices
