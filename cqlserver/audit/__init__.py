"""Audit log and full query log: what clients asked, in files that are rolled, archived, and bounded, with the settings and
nodetool commands of Cassandra's (audit/, fql/, utils/binlog/ of its source).

Both are observers of sessions (cqlserver/observers.py) and write before the answers leave, so that there is no queue: what
was answered stands in the log. Imported where one of them is on.
"""
