"""The commit log: `log` has its segments, `format` and `records` say what stands in them, `replay` brings it back."""
