"""DDL as pure functions: `apply_ddl(schema, statement, context) -> (schema, change)`; nothing here writes or waits."""

from cqlserver.ddl.apply import apply_ddl, is_ddl, not_supported
from cqlserver.ddl.context import DdlContext

__all__ = ["DdlContext", "apply_ddl", "is_ddl", "not_supported"]
