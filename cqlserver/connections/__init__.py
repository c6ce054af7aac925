"""Clients: `listener` has their sockets (through `poller`), `session` speaks with one, `garbage` tames the collector."""
