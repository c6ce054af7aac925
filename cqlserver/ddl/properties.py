"""The properties of a WITH clause (cql3/statements/PropertyDefinitions.java): texts or maps of texts, read as what
each property wants."""

from collections.abc import Iterable, Mapping
from typing import Final

from cqlserver.java_order import texts_hash_ordered
from grammar.tree import Property
from protocol.errors import CqlSyntaxError
from protocol.types.java_text import parse_java_double, parse_java_int

_TRUE: Final = ("1", "true", "yes")
_FALSE: Final = ("0", "false", "no")


class Properties:
    """Properties by name. Raises CqlSyntaxError where a value has not the wanted form."""

    __slots__ = ("_values",)

    def __init__(self, properties: Iterable[Property]) -> None:
        given = {p.name: p.value for p in properties}
        self._values = {name: given[name] for name in texts_hash_ordered(given)}

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def check_names(self, known: frozenset[str]) -> None:
        for name in self._values:
            if name not in known:
                raise CqlSyntaxError(f"Unknown property '{name}'")

    def maybe_text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise CqlSyntaxError(f"Invalid value for property '{name}'. It should be a string")

    def text(self, name: str) -> str:
        return self.maybe_text(name) or ""

    def map(self, name: str) -> Mapping[str, str]:
        """The map of that name, in the order of Java's HashMap; empty if there is none."""
        value = self._values.get(name)
        if value is None:
            return {}
        if isinstance(value, str):
            raise CqlSyntaxError(f"Invalid value for property '{name}'. It should be a map.")
        return {key: value[key] for key in texts_hash_ordered(value, capacity=len(value))}

    def boolean(self, name: str) -> bool:
        text = self.text(name)
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise CqlSyntaxError(
            f"Invalid boolean value {text} for '{name}'. Positive values can be '1', 'true' or 'yes'. "
            "Negative values can be '0', 'false' or 'no'."
        )

    def integer(self, name: str) -> int:
        text = self.text(name)
        try:
            return parse_java_int(text, 32)
        except ValueError:
            raise CqlSyntaxError(f"Invalid integer value {text} for '{name}'") from None

    def double(self, name: str) -> float:
        text = self.text(name)
        try:
            return parse_java_double(text)
        except ValueError:
            raise CqlSyntaxError(f"Invalid double value {text} for '{name}'") from None
