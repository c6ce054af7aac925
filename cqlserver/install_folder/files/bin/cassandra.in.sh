# Where the node's files are; read by bin/cassandra.

if [ "x$CASSANDRA_HOME" = "x" ]; then
    CASSANDRA_HOME="$(cd "$(dirname "$0")/.." && pwd)"
fi
if [ "x$CASSANDRA_CONF" = "x" ]; then
    CASSANDRA_CONF="$CASSANDRA_HOME/conf"
fi
