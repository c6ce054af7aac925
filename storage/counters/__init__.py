"""Counters: `contexts` are their values, `writes` what an increment writes, `rows` how packed ones are merged."""
