"""What can be assigned to: a local variable or an element of an array. Its place is found once, then read and written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cqlserver.java.errors import thrown
from cqlserver.java.expressions import Compiled
from cqlserver.java.operators import Closure
from cqlserver.java.run import Frame, null_pointer
from cqlserver.java.scope import Local
from cqlserver.java.types import BOOLEAN, BYTE, Type, is_primitive


@dataclass(frozen=True, slots=True)
class Target:
    """`place` evaluates what leads to it; `load` and `store` use that. `write(value)` is the plain assignment."""

    type: Type
    read: Compiled
    place: Callable[[Frame], Any]
    load: Callable[[Any], Any]
    store: Callable[[Any, Any], None]
    write: Callable[[Closure], Closure]
    slot: int | None = None


def local_target(local: Local) -> Target:
    slot = local.slot

    def write(value: Closure) -> Closure:
        def run(f: Frame) -> Any:
            f[slot] = found = value(f)
            return found

        return run

    def store(f: Frame, value: Any) -> None:
        f[slot] = value

    read = Compiled(local.type, lambda f: f[slot], slot=slot, origin=f'"{local.shown}"')
    return Target(local.type, read, lambda f: f, lambda f: f[slot], store, write, slot)


def array_words(element: Type) -> str:
    """What the virtual machine's messages call an array of such elements."""
    if not is_primitive(element):
        return "object array"
    return "byte/boolean array" if element in (BYTE, BOOLEAN) else f"{element} array"


_NOT_FOUND: Final = "Index {} out of bounds for length {}"


def element_target(array: Compiled, index: Compiled, element: Type) -> Target:
    run_array, run_index = array.run, index.run
    load_action = f"Cannot load from {array_words(element)}"
    store_action = f"Cannot store to {array_words(element)}"
    origin = array.origin

    def checked(items: list[Any], at: int, action: str) -> None:
        if items is None:
            raise null_pointer(action, origin)
        if not 0 <= at < len(items):
            raise thrown("ArrayIndexOutOfBoundsException", _NOT_FOUND.format(at, len(items)))

    def place(f: Frame) -> tuple[list[Any], int]:
        return run_array(f), run_index(f)

    def load(found: tuple[list[Any], int]) -> Any:
        checked(*found, load_action)
        return found[0][found[1]]

    def store(found: tuple[list[Any], int], value: Any) -> None:
        checked(*found, store_action)
        found[0][found[1]] = value

    def read(f: Frame) -> Any:
        items, at = run_array(f), run_index(f)
        if items is None or not 0 <= at < len(items):
            checked(items, at, load_action)
        return items[at]

    def write(value: Closure) -> Closure:
        def run(f: Frame) -> Any:
            items, at = run_array(f), run_index(f)
            found = value(f)
            checked(items, at, store_action)
            items[at] = found
            return found

        return run

    return Target(element, Compiled(element, read, origin=_element_origin(array, index)), place, load, store, write)


def _element_origin(array: Compiled, index: Compiled) -> str | None:
    """'"<local9>[1]"'."""
    if array.origin is None:
        return None
    inner = str(index.constant) if index.is_constant else (index.origin or '"..."').strip('"')
    base = array.origin.removeprefix("the return value of ").strip('"')
    return f'"{base}[{inner}]"'
