"""The replication options of keyspaces (locator/*Strategy.java, schema/ReplicationParams.java)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cqlserver.ddl.context import DdlContext
from protocol.errors import ConfigurationError, InvalidRequest, ServerError
from protocol.types.java_text import parse_java_int
from storage.schema.metadata import is_system_keyspace

_PACKAGE: Final = "org.apache.cassandra.locator."
SIMPLE: Final = _PACKAGE + "SimpleStrategy"
NETWORK_TOPOLOGY: Final = _PACKAGE + "NetworkTopologyStrategy"
LOCAL: Final = _PACKAGE + "LocalStrategy"
_FACTOR: Final = "replication_factor"


def prepare_replication(options: Mapping[str, str], previous: Mapping[str, str], context: DdlContext) -> Mapping[str, str]:
    """The options to store: the class by its full name, a `replication_factor` for NetworkTopologyStrategy spread over
    the data centers. `previous`: those of the keyspace before ALTER, or none."""
    name = options.get("class")
    if name is None:
        raise ServerError(
            'java.lang.NullPointerException: Cannot invoke "String.contains(java.lang.CharSequence)" because "cls" is null'
        )
    strategy = name if "." in name else _PACKAGE + name
    if strategy == _PACKAGE + "OldNetworkTopologyStrategy":
        raise ConfigurationError(
            "The support for the OldNetworkTopologyStrategy has been removed in C* version 4.0. "
            "The keyspace strategy should be switch to NetworkTopologyStrategy"
        )
    if strategy not in (SIMPLE, NETWORK_TOPOLOGY, LOCAL):
        raise ConfigurationError(f"Unable to find replication strategy class '{strategy}'")
    prepared = {key: value for key, value in options.items() if key != "class"}
    before = {key: value for key, value in previous.items() if key != "class"}
    if strategy == SIMPLE:
        prepared.setdefault(_FACTOR, before.get(_FACTOR, str(context.default_keyspace_rf)))
    elif strategy == NETWORK_TOPOLOGY:
        _spread(prepared, before, context)
    return MappingProxyType({"class": strategy, **prepared})


def _spread(options: dict[str, str], before: Mapping[str, str], context: DdlContext) -> None:
    if not options:
        options[_FACTOR] = before.get(_FACTOR, str(context.default_keyspace_rf))
    factor = options.pop(_FACTOR, None)
    if factor is not None:
        for datacenter, value in before.items():
            if datacenter != _FACTOR:
                options.setdefault(datacenter, value)
        try:
            replicas = parse_factor(factor, context)
        except ValueError:  # swallowed by Cassandra too; without any data center the check of the options refuses it
            return
        for datacenter in context.nodes_per_datacenter:
            options.setdefault(datacenter, str(replicas))
    for datacenter in [d for d, value in options.items() if value == "0"]:
        del options[datacenter]


def parse_factor(text: str, context: DdlContext | None = None) -> int:
    """A number of replicas. Raises ValueError with Cassandra's message (locator/ReplicationFactor.java); `context` says what
    of transient replicas (<replicas>/<transient>) is refused."""
    parts = text.split("/")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    if "/" in text and len(parts) != 2:
        raise ValueError("Replication factor format is <replicas> or <replicas>/<transient>")
    numbers = []
    for part in parts:
        try:
            numbers.append(parse_java_int(part, 32))
        except ValueError:
            raise ValueError(f'For input string: "{part}"') from None
    transient = numbers[1] if len(numbers) == 2 else 0
    if transient and not (context is not None and context.transient_replication_enabled):
        raise ValueError("Transient replication is not enabled on this node")
    if numbers[0] < 0:
        raise ValueError(f"Replication factor must be non-negative, found {numbers[0]}")
    if transient and context is not None:
        _check_transient(numbers[0], transient, context)
    return numbers[0]


def _check_transient(replicas: int, transient: int, context: DdlContext) -> None:
    if transient >= replicas:
        raise ValueError(
            f"Transient replicas must be zero, or less than total replication factor. For {replicas}/{transient}"
        )
    if transient < 0:
        raise ValueError(f"Amount of transient nodes should be strictly positive, but was: '{transient}'")
    if context.token_count != 1:
        raise ValueError("Transient nodes are not allowed with multiple tokens")
    raise ValueError("Transient replicas are not supported: write the number of replicas alone")


def check_replication(keyspace: str, replication: Mapping[str, str], context: DdlContext) -> None:
    """Checks prepared options, and warns where there are more replicas than nodes."""
    strategy = replication["class"]
    if strategy == LOCAL:
        raise InvalidRequest("Unable to use given strategy class: LocalStrategy is reserved for internal use.")
    options = {key: value for key, value in replication.items() if key != "class"}
    factors = {}
    for option, value in options.items():
        if strategy == SIMPLE and option != _FACTOR:
            continue
        if strategy == NETWORK_TOPOLOGY and option.lower() == _FACTOR:
            raise ConfigurationError(
                "replication_factor should not appear as an option at construction time for NetworkTopologyStrategy"
            )
        try:
            factors[option] = parse_factor(value, context)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    _check_expected(keyspace, strategy, options, context)
    if is_system_keyspace(keyspace):
        return
    if strategy == SIMPLE:
        _warn(keyspace, factors[_FACTOR], sum(context.nodes_per_datacenter.values()), "", context)
    else:
        for datacenter, factor in factors.items():
            node_count = context.nodes_per_datacenter.get(datacenter, 0)
            _warn(keyspace, factor, node_count, f" for datacenter {datacenter}", context)


def _check_expected(keyspace: str, strategy: str, options: Mapping[str, str], context: DdlContext) -> None:
    known = {_FACTOR} if strategy == SIMPLE else context.nodes_per_datacenter.keys()
    if strategy == NETWORK_TOPOLOGY and not options:
        raise ConfigurationError("Configuration for at least one datacenter must be present")
    for option in options:
        if option not in known:
            simple_name = strategy.removeprefix(_PACKAGE)
            raise ConfigurationError(
                f"Unrecognized strategy option {{{option}}} passed to {simple_name} for keyspace {keyspace}"
            )
    if strategy == NETWORK_TOPOLOGY and keyspace.lower() == "system_auth":
        missing = [d for d in known if d not in options]
        if missing:
            raise ConfigurationError(
                "Following datacenters have active nodes and must be present in replication options for keyspace "
                f"system_auth: [{', '.join(missing)}]"
            )


def _warn(keyspace: str, factor: int, node_count: int, where: str, context: DdlContext) -> None:
    if context.guarded is not None:
        context.guarded.replication(keyspace, factor)
    if factor > node_count > 0:
        context.warn(
            f"Your replication factor {factor} for keyspace {keyspace} is higher than the number of nodes "
            f"{node_count}{where}"
        )


def replica_count(replication: Mapping[str, str]) -> int:
    """Replicas of each row, over all data centers; of checked options."""
    return sum(parse_factor(value) for key, value in replication.items() if key != "class")
