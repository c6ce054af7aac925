"""Fast paths: requests whose statement is known and whose values are plain, answered without decoding the message.

All share one contract (plans/plan.py, FastPath): bytes of the request in, bytes of the answer out, or None before anything
is done; then the general plan takes over. `write`, `read`, `counter`, `cas` are for EXECUTE of one statement of that kind,
`batch` (with `rows`) for BATCH of them, `query` (with `literals`) for texts whose shape is known. `taker` and `values` cut
keys and values out of a request; `packed` writes plain rows that did not come as a plain request.
"""
