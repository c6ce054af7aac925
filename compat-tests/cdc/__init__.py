"""What Cassandra and this server write to cdc_raw."""
