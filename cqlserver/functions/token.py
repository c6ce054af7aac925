"""token(): the token of a partition key, whose types are those of the statement's table (functions/TokenFct.java)."""

from cqlserver.functions.model import Arguments, CallContext, ScalarFunction
from protocol.errors import InvalidRequest
from protocol.types import BIGINT
from storage.schema.metadata import TableMetadata
from storage.token import token


def token_function(table: TableMetadata | None) -> ScalarFunction:
    if table is None:
        raise InvalidRequest("No receiver keyspace has been specified for function system.token")

    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        parts = []
        for argument in arguments:
            if argument is None:
                return None
            parts.append(argument)
        key = parts[0] if len(parts) == 1 else b"".join(len(p).to_bytes(2, "big") + p + b"\x00" for p in parts)
        return BIGINT.encode(token(key))

    types = tuple(column.type for column in table.partition_key)
    return ScalarFunction("token", types, BIGINT, made_by_factory=True, body=body)
