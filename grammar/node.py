"""The class decorator of tree nodes: what `@dataclass(frozen=True, slots=True)` gives, at a tenth of the price.

`dataclass` compiles half a dozen methods for each class; with the hundred nodes of grammar.tree this cost a start 50 ms.
Here only `__init__` is made for each class, and it stores through the slots' own descriptors, which is faster than
`object.__setattr__`. Type checkers see a frozen dataclass. `dataclasses.replace` works too, through `__dataclass_fields__`.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

_Class = TypeVar("_Class", bound=type)


class KeywordOnly:
    """The default of a field that comes after all others and by keyword."""

    __slots__ = ("default",)

    def __init__(self, default: object) -> None:
        self.default = default


def field(*, default: Any, kw_only: bool = True) -> Any:
    """A keyword-only field."""
    return KeywordOnly(default)


class Node:
    """What all nodes share: comparison, hash and text by the values of the fields; no assignment."""

    __slots__ = ()
    _values: ClassVar[Callable[[Any], Any]]
    _fields: ClassVar[tuple[str, ...]] = ()
    __match_args__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._fields)

    def __hash__(self) -> int:
        return hash((self.__class__, *(getattr(self, name) for name in self._fields)))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{self.__class__.__name__}({values})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to field {name!r} of a {self.__class__.__name__}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r} of a {self.__class__.__name__}")


class _DataclassFields:
    """Makes nodes dataclasses in the eyes of `dataclasses.replace` and `fields`, at the first such question."""

    def __get__(self, _instance: object, owner: type[Node]) -> dict[str, Any]:
        import dataclasses

        found: dict[str, Any] = {}
        for name in owner._fields:
            described: Any = dataclasses.field()
            described.name = name
            described._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
            found[name] = described
        return found


Node.__dataclass_fields__ = _DataclassFields()  # type: ignore[attr-defined]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def node(cls: _Class) -> _Class:
    """Makes a frozen, slotted node of a class of annotated fields, which derives from Node or another node."""
    inherited: tuple[str, ...] = getattr(cls, "_fields", ())
    defaults: dict[str, object] = dict(getattr(cls, "_defaults", {}))
    own = tuple(cls.__dict__.get("__annotations__", {}))  # noqa: RUF063 (inspect takes 5 ms to import)
    namespace = {name: value for name, value in cls.__dict__.items() if name not in ("__dict__", "__weakref__")}
    for name in own:
        if name in namespace:
            defaults[name] = namespace.pop(name)
    namespace["__slots__"] = own
    fields = inherited + own
    positional = [name for name in fields if not isinstance(defaults.get(name), KeywordOnly)]
    keyword_only = [name for name in fields if name not in positional]
    namespace["_fields"] = tuple(positional + keyword_only)
    namespace["_defaults"] = defaults
    namespace["__match_args__"] = tuple(positional)
    made: Any = type(cls)(cls.__name__, cls.__bases__, namespace)

    parameters = [f"{name}=_defaults[{name!r}]" if name in defaults else name for name in positional]
    if keyword_only:
        parameters += ["*", *(f"{name}=_defaults[{name!r}].default" for name in keyword_only)]
    body = "\n".join(f" _set_{name}(self, {name})" for name in fields) or " pass"
    environment: dict[str, Any] = {f"_set_{name}": getattr(made, name).__set__ for name in fields}
    environment["_defaults"] = defaults
    exec(f"def __init__(self, {', '.join(parameters)}):\n{body}", environment)
    made.__init__ = environment["__init__"]
    return made  # type: ignore[no-any-return]
