"""Differential testing: the same random statements to two servers, whose answers must be equal.

statement.py     a statement as clauses of items, that can be rendered and made smaller
values.py        random types, values and literals
tables.py        random tables and their data
selects.py       SELECTs                      functions.py   calls and arithmetic
definitions.py   DDL                          literals.py    literals in odd forms
writes.py        writes of all kinds          indexes.py     SELECTs through indexes
views.py         writes to tables with views  roles.py       permissions and masks
java_bodies.py   bodies of functions          productions.py statements from tables (given/)
given_schemas.py areas on given schemas       areas.py       all areas, and their weights
wire.py          what a statement takes of requests, and the envelopes that came back
storing.py       flushes and compactions of both servers
comparison.py    answers compared, differences made small, and what explains them
outcomes.py      how often each kind of statement succeeded
rounds.py        an area and a seed with keyspaces of its own, many at a time
"""
