"""The statement tree: what a CQL text says, before any schema is looked at.

Frozen, slotted nodes; `grammar.parser` builds them, `cqlserver` compiles them. They hold no positions and no types of
columns: everything here follows from the text alone. The shapes mirror the rules of Cassandra 5.0.8's `Parser.g`.

Conventions
- Names are `str` as Cassandra keeps them: an unquoted name is lower case, a quoted one is as written, `""` undone.
- An expression (`Expression`) is a term (in VALUES, WHERE, SET, ...) or a selectable (between SELECT and FROM). Both
  use the same classes; `Column`, `FieldSelection`, `ElementSelection`, `SliceSelection`, `CountRows`, `ColumnFunction`
  and `Cast` of columns occur in selectables only.
- Bind markers are numbered from 0 in the order of the text. `Statement.markers` holds the names: None for `?`.
- What the text leaves out is None, or an empty tuple.
"""

from grammar.data_nodes import *  # noqa: F403 (this module is where they are imported from)
from grammar.node import Node as Node  # noqa: PLC0414 (exported)
from grammar.schema_nodes import *  # noqa: F403
