"""The control port: what whoever runs the server tells it and asks it, beside CQL. `operations.py` is the table of it.

HTTP (`port.py`, `http.py`), Python (`launcher.Server`), the command line (`commands/verbs.py`) and the OpenAPI document
(`openapi.py`) are faces of that table. A start pays for the listening socket alone; the rest is imported at the first
connection. What nodetool asks for (`storage_operations.py`) has no method in Python but `call`. What a user's own process
imports of it is `client.py`, which needs nothing but the standard library.

To add an operation: write `async def name(control: Control, *, argument: type) -> object`, which answers what JSON can
say, and add an `Operation` to the table. The tables import none of these functions' modules (`later.py`).
"""
