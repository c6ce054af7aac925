"""Change data capture: what is written to tables with `cdc = true`, once more, as Cassandra's commit log has it.

Consumers read cdc_raw while the server writes it. `format.py` has the bytes of a segment, `mutations.py` those of a
mutation; `segments.py` writes them beside the commit log, and minds how much there may be; `completion.py` makes them whole
at a start; `capture.py` is the engine's side. docs/formats/cdc.md has the offsets. Nothing here is imported where
cdc_enabled is false.
"""
