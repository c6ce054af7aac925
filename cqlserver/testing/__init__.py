"""The pytest plugin. `plugin.py` is what pytest imports at each start, so it is small; the rest comes when a test asks for a
server: `servers.py` (which there are, and the states that they are in), `driver.py`, `real.py` (a Cassandra instead).

Nothing here imports more than the standard library, pytest and `cqlserver`; the Python driver where a test wants it.
"""
