"""Compaction: several SSTables of a table become one, and what nobody needs any more is left out.

- `strategies.py`, `leveled.py`, `unified.py`, `tombstones.py`: what to compact: pure functions over what SSTables say of
  themselves; `choices.py`: what these are given and give.
- `purging.py`: what may be left out.
- `compaction.py`: how: the merge, and the exchange of the files; `outputs.py`: where what comes out is cut.
- `compactions.py`: when: after flushes, from time to time, and on command.
"""
