"""The program's life: `config` from the command line and cassandra.yaml, `server` from start to stop, `init_files`."""
