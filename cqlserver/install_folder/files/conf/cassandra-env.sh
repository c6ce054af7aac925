# Read by bin/cassandra. JMX_PORT is the control port, which nodetool speaks to; of JVM_OPTS the -Dcassandra.* count.

JMX_PORT="7199"
