"""Compaction: several SSTables of a table become one, and what nobody needs any more is left out.

- `strategies.py`: what to compact: pure functions over what SSTables say of themselves.
- `purging.py`: what may be left out.
- `compaction.py`: how: the merge, and the exchange of the files.
- `compactions.py`: when: after flushes, and on command.
"""
