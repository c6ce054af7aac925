"""Differential testing: the same random statements to two servers, whose answers must be equal.

statement.py     a statement as clauses of items, that can be rendered and made smaller
values.py        random types, values and literals
tables.py        random tables and their data
selects.py       SELECTs                      functions.py   calls and arithmetic
definitions.py   DDL                          literals.py    literals in odd forms
comparison.py    two connections, answers compared, differences made small
"""
