"""SSTables of this project and of Apache Cassandra, read by each other."""
