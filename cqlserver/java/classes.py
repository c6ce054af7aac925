"""The classes that bodies may use: declared in texts that read like Java, each member with the function that does it.

A `ClassSource` is data of the library modules: a header ("java.util.List<E> : Collection<E>"), members by signature
("E get(int)", "static <T> List<T> asList(T...)", "new(int)", "static int MAX_VALUE"), and how an object is told to be of
the class. It is read when a body first names the class.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cqlserver.java.types import (
    OBJECT,
    PRIMITIVES,
    VOID,
    ArrayType,
    ClassType,
    Type,
    Variable,
    Wildcard,
    substituted,
)

Body = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ClassSource:
    """`is_instance` tells objects of the class; None: nothing is an instance that has not this very class name.
    `needs_run`: names of members whose function takes the Run (steps, memory, time) as its first argument."""

    header: str
    members: Mapping[str, Any] = field(default_factory=dict)
    is_instance: Callable[[Any], bool] | None = None
    is_abstract: bool = False
    needs_run: frozenset[str] = frozenset()
    hides: Mapping[str, str] = field(default_factory=dict)
    """Members that Cassandra's compiler refuses because they name a type that functions may not use: member -> that type."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method or (name 'new') constructor; `body` takes the object, unless static, and the arguments."""

    owner: str
    name: str
    parameters: tuple[Type, ...]
    returns: Type
    body: Body
    is_static: bool = False
    is_varargs: bool = False
    variables: tuple[str, ...] = ()
    needs_run: bool = False
    throws: str | None = None

    def shown(self) -> str:
        """As messages print it: 'charAt(int)'."""
        types = [str(p) for p in self.parameters]
        if self.is_varargs:
            types[-1] = types[-1][:-2] + "..."
        return f"{self.name}({', '.join(types)})"

    def described(self, of: str | None = None) -> str:
        """As the virtual machine's messages name it: 'java.util.Map.get(Object)'. `of`: the static type it is called on."""
        owner = _MACHINE_NAMES.get(of or self.owner, of or self.owner)
        types = ", ".join(_MACHINE_NAMES.get(e, e) for e in (_erased(p) for p in self.parameters))
        return f"{owner}.{self.name}({types})"


_MACHINE_NAMES: Final = {"java.lang.String": "String", "java.lang.Object": "Object"}


def _erased(type_: Type) -> str:
    return "java.lang.Object" if isinstance(type_, Variable) else type_.erased


@dataclass(frozen=True, slots=True)
class JavaClass:
    name: str
    parameters: tuple[str, ...]
    parents: tuple[ClassType, ...]
    methods: Mapping[str, tuple[Method, ...]]
    fields: Mapping[str, tuple[Type, Any]]
    is_instance: Callable[[Any], bool] | None
    is_abstract: bool
    hides: Mapping[str, str]

    @property
    def constructors(self) -> tuple[Method, ...]:
        return self.methods.get("new", ())

    @property
    def simple_name(self) -> str:
        return self.name.rpartition(".")[2].replace("$", ".")


@cache
def _sources() -> dict[str, ClassSource]:
    """By fully qualified name; nested classes with a $."""
    from cqlserver.java.library import all_sources

    return {re.split(r"[<\s]", source.header, maxsplit=1)[0]: source for source in all_sources()}


IMPORTED: Final = (
    "java.lang.",
    "java.util.",
    "java.nio.ByteBuffer",
    "org.apache.cassandra.cql3.functions.types.TupleValue",
    "org.apache.cassandra.cql3.functions.types.UDTValue",
    "org.apache.cassandra.cql3.functions.UDFContext",
)
_DRIVER, _OWN = "com.datastax.driver.core.", "org.apache.cassandra.cql3.functions.types."


@cache
def find_class(name: str) -> JavaClass | None:
    """By a fully qualified name or one that the surrounding source imports; None: there is no such class."""
    name = name.replace(_DRIVER, _OWN)
    sources = _sources()
    candidates = [name, _nested(name)]
    if "." not in name or name.split(".")[0][0].isupper():
        for place in IMPORTED:
            if place.endswith("."):
                candidates += [place + name, place + name.replace(".", "$")]
            elif place.rpartition(".")[2] == name:
                candidates.append(place)
    for candidate in candidates:
        if candidate in sources:
            return _read(candidate, sources[candidate])
    return None


def _nested(name: str) -> str:
    """java.util.Map.Entry -> java.util.Map$Entry."""
    head, _, last = name.rpartition(".")
    return f"{head}${last}" if head.rpartition(".")[2][:1].isupper() else name


def class_of(type_: ClassType) -> JavaClass:
    found = find_class(type_.name)
    assert found is not None, type_
    return found


def supertypes(type_: ClassType) -> tuple[ClassType, ...]:
    """Direct ones, with type arguments put in; a raw type's are raw."""
    found = find_class(type_.name)
    if found is None:
        return ()
    if found.parameters and not type_.arguments:
        return tuple(ClassType(parent.name) for parent in found.parents)
    bound = dict(zip(found.parameters, type_.arguments, strict=False))
    made = [substituted(parent, bound) for parent in found.parents]
    return tuple(parent for parent in made if isinstance(parent, ClassType))


# --- reading -----------------------------------------------------------------------------------------------------------

_WORDS = re.compile(r"[\w.$]+|\?|<|>|,|\[\]|\.\.\.|\(|\)")
_SHORT: Final = {
    "Object": "java.lang.Object",
    "String": "java.lang.String",
}


class _Reader:
    """The types of a signature."""

    def __init__(self, text: str, variables: tuple[str, ...]) -> None:
        self._words = _WORDS.findall(text.replace("...", " ... "))
        self._at = 0
        self.variables = variables

    def peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def next(self) -> str:
        word = self.peek()
        self._at += 1
        return word

    def type(self) -> Type:
        word = self.next()
        found: Type
        if word == "?":
            if self.peek() in ("extends", "super"):
                is_lower = self.next() == "super"
                return Wildcard(self.type(), is_lower)
            return Wildcard()
        if word in PRIMITIVES:
            found = PRIMITIVES[word]
        elif word == "void":
            return VOID
        elif word in self.variables:
            found = Variable(word)
        else:
            arguments: list[Type] = []
            if self.peek() == "<":
                self.next()
                while self.peek() != ">":
                    arguments.append(self.type())
                    if self.peek() == ",":
                        self.next()
                self.next()
            found = ClassType(_full_name(word), tuple(arguments))
        while self.peek() == "[]":
            self.next()
            found = ArrayType(found)
        return found


@cache
def _full_name(word: str) -> str:
    sources = _sources()
    if word in sources:
        return word
    endings = (f".{word}", f"${word}", "." + word.replace(".", "$"))
    for name in sources:
        if name.endswith(endings):
            return name
    raise AssertionError(f"no class {word}")


_HEADER = re.compile(r"([\w.$]+)(?:<([^:]*)>)?\s*(?::\s*(.*))?$")


def _read(name: str, source: ClassSource) -> JavaClass:
    match = _HEADER.match(source.header)
    assert match is not None, source.header
    parameters = tuple(word.strip() for word in (match[2] or "").split(",") if word.strip())
    parents: list[ClassType] = []
    if match[3]:
        reader = _Reader(match[3], parameters)
        while reader.peek():
            parent = reader.type()
            assert isinstance(parent, ClassType)
            parents.append(parent)
            if reader.peek() == ",":
                reader.next()
    elif name != OBJECT.name:
        parents.append(OBJECT)
    methods: dict[str, list[Method]] = {}
    fields: dict[str, tuple[Type, Any]] = {}
    for signature, body in source.members.items():
        if "(" in signature:
            method = _method(name, signature, body, parameters, source.needs_run)
            methods.setdefault(method.name, []).append(method)
        else:
            words = signature.removeprefix("static ").rsplit(" ", 1)
            fields[words[1]] = (_Reader(words[0], parameters).type(), body)
    return JavaClass(
        name,
        parameters,
        tuple(parents),
        {key: tuple(found) for key, found in methods.items()},
        fields,
        source.is_instance,
        source.is_abstract,
        source.hides,
    )


def _method(owner: str, signature: str, body: Body, parameters: tuple[str, ...], needs_run: frozenset[str]) -> Method:
    """`[static] [<T,...>] returns name(types) [throws class]`."""
    text, _, throws = signature.partition(" throws ")
    is_static = text.startswith("static ")
    text = text.removeprefix("static ")
    variables: tuple[str, ...] = ()
    if text.startswith("<"):
        inside, _, text = text[1:].partition("> ")
        variables = tuple(word.strip() for word in inside.split(","))
    head, _, rest = text.partition("(")
    known = parameters + variables
    returned, _, name = head.rpartition(" ")
    reader = _Reader(rest.removesuffix(")"), known)
    types: list[Type] = []
    is_varargs = False
    while reader.peek():
        types.append(reader.type())
        if reader.peek() == "...":
            reader.next()
            is_varargs = True
            types[-1] = ArrayType(types[-1])
        if reader.peek() == ",":
            reader.next()
    returns: Type = ClassType(owner, tuple(Variable(p) for p in parameters))
    if name != "new":
        returns = _Reader(returned, known).type()
    return Method(
        owner,
        name,
        tuple(types),
        returns,
        body,
        is_static or name == "new",
        is_varargs,
        variables,
        name in needs_run,
        throws or None,
    )
