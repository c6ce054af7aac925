"""What a DDL statement needs beside the schema, what it leaves behind, and the checks that all of them share."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cqlserver.functions.model import Function
from grammar.tree import QualifiedName
from protocol.errors import InvalidRequest, Unauthorized
from protocol.responses import SchemaChange
from storage.schema.metadata import (
    REPLICATED_SYSTEM_KEYSPACES,
    KeyspaceMetadata,
    Schema,
    TableParams,
    is_local_system_keyspace,
)

CREATED: Final = "CREATED"
UPDATED: Final = "UPDATED"
DROPPED: Final = "DROPPED"
KEYSPACE: Final = "KEYSPACE"
TABLE: Final = "TABLE"
TYPE: Final = "TYPE"
FUNCTION: Final = "FUNCTION"
AGGREGATE: Final = "AGGREGATE"

NAME_LENGTH_MAX: Final = 48
if TYPE_CHECKING:
    from cqlserver.guardrails import Guarded

_WORD = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class DdlContext:
    """`keyspace`: what USE chose. `nodes_per_datacenter`: how many nodes each data center has. `warn` takes warnings
    for the client. The rest are settings of cassandra.yaml of the same meaning."""

    keyspace: str | None
    now_us: Callable[[], int]
    new_timeuuid: Callable[[], UUID]
    nodes_per_datacenter: Mapping[str, int]
    warn: Callable[[str], None]
    default_keyspace_rf: int = 1
    dynamic_data_masking_enabled: bool = False
    drop_compact_storage_enabled: bool = False
    sasi_indexes_enabled: bool = False
    user_defined_functions_enabled: bool = False
    materialized_views_enabled: bool = False
    cdc_enabled: bool = False
    user_functions: Callable[[KeyspaceMetadata, str], Sequence[Function]] = lambda keyspace, name: ()
    guarded: "Guarded | None" = None
    transient_replication_enabled: bool = False
    token_count: int = 16
    """num_tokens."""
    memtables: frozenset[str] = frozenset(("default",))
    """The configurations that a table may name."""

    def kept(self, params: TableParams) -> TableParams:
        """As system_schema of this node keeps them."""
        return replace(params, keeps_cdc=True) if self.cdc_enabled and not params.keeps_cdc else params

    def keyspace_of(self, name: QualifiedName) -> str:
        return keyspace_of(name, self.keyspace)


DdlResult = tuple[Schema, SchemaChange | None]
"""The schema to hold from now on, and the change; None: nothing changed, which is answered with VOID."""


def keyspace_of(name: QualifiedName, used: str | None) -> str:
    """The keyspace that `name` is in. Raises InvalidRequest when neither it nor USE (`used`) says one."""
    keyspace = name.keyspace or used
    if keyspace is None:
        raise InvalidRequest("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
    return keyspace


def written_name(name: QualifiedName) -> str:
    """A name as the statement has it, as messages of the parser's stage print it."""
    return name.name if name.keyspace is None else f"{name.keyspace}.{name.name}"


def authorize(keyspace: str, permission: str, resource: str, *, allows_replicated: bool = False) -> None:
    """Raises Unauthorized for what nobody may change: the system keyspaces (service/ClientState.java)."""
    if is_local_system_keyspace(keyspace):
        raise Unauthorized(f"{keyspace} keyspace is not user-modifiable.")
    if keyspace.lower() in REPLICATED_SYSTEM_KEYSPACES and not allows_replicated:
        raise Unauthorized(f"Cannot {permission} {resource}")


def check_keyspace_name(keyspace: str) -> None:
    """What every schema change checks before it looks at the schema (AlterSchemaStatement.execute)."""
    if is_local_system_keyspace(keyspace):
        raise InvalidRequest(f"System keyspace '{keyspace}' is not user-modifiable")
    if not is_word(keyspace):
        raise InvalidRequest(
            f'Keyspace name must not be empty and must contain alphanumeric or underscore characters only (got "{keyspace}")'
        )
    if len(keyspace) > NAME_LENGTH_MAX:
        raise InvalidRequest(
            f"Keyspace name must not be more than {NAME_LENGTH_MAX} characters long "
            f'(got {len(keyspace)} characters for "{keyspace}")'
        )


def is_word(name: str) -> bool:
    """Letters, digits and underscores of ASCII: fit for the name of a folder."""
    return _WORD.fullmatch(name) is not None
