"""Values in statements: `terms` readies them for a receiver (`raw_*` before, `bound_terms` after), `binding`: markers."""
