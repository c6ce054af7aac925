"""A node's data folder: which tables have which SSTables, how they come and go. storage/sstable/ is what is in them.

- `folders.py`: DIR/data/<keyspace>/<table>-<id>/, as Cassandra has them.
- `transaction.py`: files that appear and disappear together, also through a crash.
- `table_files.py`: the SSTables of one table.
- `flush.py`: a memtable becomes an SSTable.
- `tables.py`: all of a node's, and what of the commit log is not needed any more.
"""
