"""A whole cluster in one process, without time: `schedule`, `network`, and worlds of nodes that run in them."""
