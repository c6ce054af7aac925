"""An operation of the control port, its arguments and their types."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cqlserver.control.context import BadArgument

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of arguments: its JSON schema, what Python calls it, and how text (of a URL, of a command line) becomes one.
    `from_text` raises ValueError."""

    schema: Mapping[str, object]
    type: type
    from_text: Callable[[str], object]

    def takes(self, value: object) -> bool:
        return type(value) is self.type and (not isinstance(value, list) or all(type(item) is str for item in value))


def _boolean(text: str) -> bool:
    return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}[text.lower()]


STRING: Final = Kind({"type": "string"}, str, str)
INTEGER: Final = Kind({"type": "integer"}, int, int)
BOOLEAN: Final = Kind({"type": "boolean"}, bool, _boolean)
STRINGS: Final = Kind({"type": "array", "items": {"type": "string"}}, list, lambda text: text.split(",") if text else [])


@dataclass(frozen=True, slots=True)
class Argument:
    """`default` REQUIRED: there is none."""

    name: str
    kind: Kind
    summary: str
    default: object = REQUIRED

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Operation:
    """`run(control, **arguments)` does it; `answer` is the JSON schema of what it answers; what only `reads` may be asked
    with GET; what is not `alone` goes on beside others: it waits for work in the background. `is_for_single_nodes`: the
    nodes of a cluster can't do it together."""

    name: str
    summary: str
    arguments: tuple[Argument, ...]
    answer: Mapping[str, object]
    run: Callable[..., Awaitable[object]]
    reads: bool = False
    alone: bool = True
    is_for_single_nodes: bool = False

    def checked(self, given: Mapping[str, object]) -> dict[str, object]:
        """The arguments to run it with. Raises BadArgument."""
        known = {argument.name: argument for argument in self.arguments}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "no arguments"
                raise _bad_argument(f"{self.name} takes no {name}; it takes {takes}")
        checked: dict[str, object] = {}
        for argument in self.arguments:
            value = given.get(argument.name)
            if value is None:
                if argument.is_required:
                    raise _bad_argument(f"{self.name} needs {argument.name}: {argument.summary}")
                value = argument.default
            elif not argument.kind.takes(value):
                raise _bad_argument(f"{self.name}: {argument.name} is {value!r}, and not {argument.kind.schema['type']}")
            checked[argument.name] = value
        return checked

    def of_texts(self, given: Mapping[str, str]) -> dict[str, object]:
        """Arguments that came as texts. Raises BadArgument."""
        kinds = {argument.name: argument.kind for argument in self.arguments}
        values: dict[str, object] = {}
        for name, text in given.items():
            try:
                values[name] = kinds[name].from_text(text) if name in kinds else text
            except (ValueError, KeyError):
                raise _bad_argument(f"{self.name}: {name} is {text!r}, and not {kinds[name].schema['type']}") from None
        return self.checked(values)


def _bad_argument(message: str) -> "BadArgument":
    """Of a module that has the whole server: for whoever runs operations, not for the command line."""
    from cqlserver.control.context import BadArgument

    return BadArgument(message)


NOTHING: Final[Mapping[str, object]] = {"type": "object", "maxProperties": 0}
WHICH: Final = (
    Argument("keyspace", STRING, "of this keyspace alone", None),
    Argument("tables", STRINGS, "of these tables of the keyspace alone", []),
    Argument("keyspaces", STRING, "where none is named: all, distributed or users", "all"),
)
"""The arguments of what is done with tables (storing.chosen_stores)."""


def list_of(name: str) -> Mapping[str, object]:
    """An answer with a list of objects."""
    return {"type": "object", "properties": {name: {"type": "array", "items": {"type": "object"}}}}
