"""The system keyspaces: `definitions` and `tables` of stored ones, `virtual_*` of made-up ones, `tracing` of requests."""
