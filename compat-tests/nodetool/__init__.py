"""What Cassandra's nodetool prints, recorded: `*.txt` beside this, read and run by `cases.py`, recorded by `record.py`."""
