"""How data moves between nodes: for a bootstrap and its like, and for the differences that a repair finds.

A stream is pulled: who is to have the data asks for it, a chunk at a time, by the position behind the last one. The source
keeps nothing that it could not find again, so chunks may be lost, doubled and late, either side may be killed and come
back, and memory is bounded by a chunk of each session. What is read at one position comes from all of a table's sources:
partitions of SSTables as the bytes that they are, those of memtables as mutations. The target writes an SSTable beside its
own for each SSTable of the source; all of a table count at once when the table is complete.

    ranges       token ranges, as positions; what a node owns
    messages     what is asked for and answered (docs/formats/internode.md)
    source       reads a chunk
    target       what a table gets, until it counts
    session      the machine of one direction between two nodes
    streams      all sessions of a node: `fetch`, `push`, and what nodetool netstats tells

Used so (`Streams` is `ClusterNode.streams`):

    tasks = [TableRanges(table_id, (TokenRange(start, end), ...)), ...]
    session = streams.fetch(peer, tasks, Reason.REPAIR)        # from the peer to this node
    session = streams.push(peer, tasks, Reason.REPAIR)         # from this node to the peer
    session.outcome.when_done(...)                             # Outcome[None]: settled, or failed with StreamFailed
    session.progress                                           # files and bytes, done and in all, by table

Where it ends, everything is durable on the target. SSTables keep their repaired_at and pending_repair; a `pending_repair`
given to `fetch` or `push` takes those SSTables alone that are of that repair. A target whose table has indexes or views gets
all as mutations, which update these.
"""
