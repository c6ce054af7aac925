"""What makes a server a node of a cluster: `store` a table as its replicas have it together, `member` this node among the
others, `network` how messages pass between nodes of one process, `in_process` such nodes. Imported only where there are
others."""
