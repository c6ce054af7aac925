"""WHERE clauses: `restrictions` makes of `relations` the keys, `ranges` and `filters` that a statement reads or writes."""
