"""Secondary indexes: where the rows of a table are that have a value.

`target.py`: what an index is on. `entries.py`: what of a row it holds. `local.py`: the built-in kind, a hidden table;
`table_indexes.py`: all indexes of one table, how a write changes them, and how they are built; `reading.py`: reads that
go through one.
"""
