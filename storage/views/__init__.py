"""Materialized views: tables that follow from another one, row by row (db/view/).

`view.py` says what a change of a base row changes in one view, `table_views.py` what a write to a base table changes in all
of its views, `build.py` fills a view that is made on a table with rows. That both are one record of the log is
storage/indexes/indexed_tables.py's work.
"""
