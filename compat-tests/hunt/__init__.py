"""Seeded fuzzers that look for what takes a server down, makes it answer wrongly, or forget."""
