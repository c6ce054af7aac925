"""Materialized views: tables that follow from another one, row by row (db/view/).

`view.py` says what a change of a base row changes in one view, `table_views.py` what a write to a base table changes in all
of its views, `packed_part.py` does both for plain inserts, `build.py` fills a view that is made on a table with rows.
`viewed_tables.py` is the engine's side. That base and views are one record of the log is indexed_tables.py's work, in
storage/indexes.
"""
