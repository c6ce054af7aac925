"""SSTables in Apache Cassandra's own formats: one module per component, constants in `constants.py`, `writer.py`,
`reader.py`."""
