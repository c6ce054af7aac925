"""`cqlserver nodetool` and `nodetool`: what Cassandra's tool of that name does, for a server of ours. It speaks to the
control port, and prints what Cassandra 5.0's nodetool prints: texts, columns, exit codes.

- `program.py`: the command line: finds the command, runs it, says what went wrong.
- `commands.py`: the table of commands. To add one: an entry there, and a function in a module of `doing/`.
- `arguments.py`: how arguments are taken apart; `help_pages.py`: what `nodetool help` prints.
- `printing.py`: tables, sizes, JSON and YAML.

It starts often, for a moment: only what a command needs is imported, and nothing of the server.
"""
