"""Files that fill a server before a test: CQL, and rows as CSV, JSON or YAML. They become statements, one after the other,
each with the file and the line that it comes from; whoever has them executes them, on this server or on a Cassandra.

Only the standard library: the pytest plugin uses it in its users' processes (PyYAML is imported for YAML files).
"""
