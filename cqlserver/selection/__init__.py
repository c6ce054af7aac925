"""What a SELECT gives: `selection` of `selectables` (resolved), computed by `selectors` (compiled)."""
