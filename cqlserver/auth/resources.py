"""What permissions are granted on (auth/DataResource.java, RoleResource.java, FunctionResource.java, JMXResource.java).

A resource is known by its name, as system_auth holds it ('data/shop/orders'), and has parents: who may do something to all
of them may do it to this one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from grammar.tree import ResourceKind
from protocol.types import CqlType, parse_java

PERMISSIONS: Final = (
    "CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED",
)  # fmt: skip
"""All of them, in Cassandra's order."""

_DATA: Final = ("ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "UNMASK", "SELECT_MASKED")
_ROLE: Final = ("ALTER", "DROP", "AUTHORIZE", "DESCRIBE")
_FUNCTION: Final = ("ALTER", "DROP", "AUTHORIZE", "EXECUTE")
_MBEAN: Final = ("SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE")

APPLICABLE: Final[Mapping[ResourceKind, tuple[str, ...]]] = MappingProxyType(
    {
        ResourceKind.ALL_KEYSPACES: ("CREATE", *_DATA),
        ResourceKind.KEYSPACE: ("CREATE", *_DATA),
        ResourceKind.ALL_TABLES: ("CREATE", *_DATA),
        ResourceKind.TABLE: _DATA,
        ResourceKind.ALL_ROLES: ("CREATE", *_ROLE),
        ResourceKind.ROLE: _ROLE,
        ResourceKind.ALL_FUNCTIONS: ("CREATE", *_FUNCTION),
        ResourceKind.KEYSPACE_FUNCTIONS: ("CREATE", *_FUNCTION),
        ResourceKind.FUNCTION: _FUNCTION,
        ResourceKind.ALL_MBEANS: _MBEAN,
        ResourceKind.MBEAN: _MBEAN,
        ResourceKind.MBEANS: _MBEAN,
    }
)
"""The permissions that a kind of resource can have."""

_PARENTS: Final[Mapping[ResourceKind, ResourceKind]] = MappingProxyType(
    {
        ResourceKind.TABLE: ResourceKind.ALL_TABLES,
        ResourceKind.ALL_TABLES: ResourceKind.KEYSPACE,
        ResourceKind.KEYSPACE: ResourceKind.ALL_KEYSPACES,
        ResourceKind.ROLE: ResourceKind.ALL_ROLES,
        ResourceKind.FUNCTION: ResourceKind.KEYSPACE_FUNCTIONS,
        ResourceKind.KEYSPACE_FUNCTIONS: ResourceKind.ALL_FUNCTIONS,
        ResourceKind.MBEAN: ResourceKind.ALL_MBEANS,
    }
)

_NAMES: Final[Mapping[ResourceKind, str]] = MappingProxyType(
    {
        ResourceKind.ALL_KEYSPACES: "data",
        ResourceKind.KEYSPACE: "data/{0.keyspace}",
        ResourceKind.ALL_TABLES: "data/{0.keyspace}/*",
        ResourceKind.TABLE: "data/{0.keyspace}/{0.of}",
        ResourceKind.ALL_ROLES: "roles",
        ResourceKind.ROLE: "roles/{0.of}",
        ResourceKind.ALL_FUNCTIONS: "functions",
        ResourceKind.KEYSPACE_FUNCTIONS: "functions/{0.keyspace}",
        ResourceKind.FUNCTION: "functions/{0.keyspace}/{0.of}[{1}]",
        ResourceKind.ALL_MBEANS: "mbean",
        ResourceKind.MBEAN: "mbean/{0.of}",
    }
)

_TEXTS: Final[Mapping[ResourceKind, str]] = MappingProxyType(
    {
        ResourceKind.ALL_KEYSPACES: "<all keyspaces>",
        ResourceKind.KEYSPACE: "<keyspace {0.keyspace}>",
        ResourceKind.ALL_TABLES: "<all tables in {0.keyspace}>",
        ResourceKind.TABLE: "<table {0.keyspace}.{0.of}>",
        ResourceKind.ALL_ROLES: "<all roles>",
        ResourceKind.ROLE: "<role {0.of}>",
        ResourceKind.ALL_FUNCTIONS: "<all functions>",
        ResourceKind.KEYSPACE_FUNCTIONS: "<all functions in {0.keyspace}>",
        ResourceKind.FUNCTION: "<function {0.keyspace}.{0.of}({1})>",
        ResourceKind.ALL_MBEANS: "<all mbeans>",
        ResourceKind.MBEAN: "<mbean {0.of}>",
    }
)


@dataclass(frozen=True, slots=True)
class Resource:
    """`of`: the table, role, function or MBean within; `argument_types`: a function's."""

    kind: ResourceKind
    keyspace: str | None = None
    of: str | None = None
    argument_types: tuple[CqlType, ...] = ()

    @property
    def name(self) -> str:
        """As system_auth holds it."""
        return _NAMES[self.kind].format(self, "^".join(java_name(argument) for argument in self.argument_types))

    def __str__(self) -> str:
        return _TEXTS[self.kind].format(self, ", ".join(argument.cql() for argument in self.argument_types))

    @property
    def applicable(self) -> tuple[str, ...]:
        return APPLICABLE[self.kind]

    @property
    def parent(self) -> "Resource | None":
        kind = _PARENTS.get(self.kind)
        if kind is None:
            return None
        return Resource(kind, self.keyspace if kind in _WITH_KEYSPACE else None)

    def chain(self) -> Iterator["Resource"]:
        """It and its parents."""
        resource: Resource | None = self
        while resource is not None:
            yield resource
            resource = resource.parent


_WITH_KEYSPACE: Final = frozenset((ResourceKind.KEYSPACE, ResourceKind.ALL_TABLES, ResourceKind.KEYSPACE_FUNCTIONS))
ALL_KEYSPACES: Final = Resource(ResourceKind.ALL_KEYSPACES)
ALL_ROLES: Final = Resource(ResourceKind.ALL_ROLES)
ALL_FUNCTIONS: Final = Resource(ResourceKind.ALL_FUNCTIONS)
ALL_MBEANS: Final = Resource(ResourceKind.ALL_MBEANS)


def keyspace(name: str) -> Resource:
    return Resource(ResourceKind.KEYSPACE, name)


def all_tables(keyspace: str) -> Resource:
    return Resource(ResourceKind.ALL_TABLES, keyspace)


def table(keyspace: str, name: str) -> Resource:
    return Resource(ResourceKind.TABLE, keyspace, name)


def role(name: str) -> Resource:
    return Resource(ResourceKind.ROLE, None, name)


def keyspace_functions(keyspace: str) -> Resource:
    return Resource(ResourceKind.KEYSPACE_FUNCTIONS, keyspace)


def function(keyspace: str, name: str, argument_types: tuple[CqlType, ...]) -> Resource:
    return Resource(ResourceKind.FUNCTION, keyspace, name, argument_types)


def java_name(of: CqlType) -> str:
    """AbstractType.toString."""
    return of.java()


def named(name: str) -> Resource:
    """The resource of that name. Raises ValueError."""
    root, _, rest = name.partition("/")
    if root == "roles":
        return role(rest) if rest else ALL_ROLES
    if root == "mbean":
        return Resource(ResourceKind.MBEAN, None, rest) if rest else ALL_MBEANS
    of, _, within = rest.partition("/")
    if root == "data":
        if not of:
            return ALL_KEYSPACES
        if not within:
            return keyspace(of)
        return all_tables(of) if within == "*" else table(of, within)
    if root == "functions":
        if not of:
            return ALL_FUNCTIONS
        if not within:
            return keyspace_functions(of)
        called, _, arguments = within.removesuffix("]").rpartition("[")
        types = tuple(parse_java(argument) for argument in arguments.split("^") if argument)
        return function(of, called, types)
    raise ValueError(f"Name {name} is not valid for any resource type")
