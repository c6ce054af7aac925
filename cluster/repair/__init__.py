"""Repair: replicas compare what they have, range by range, and give each other what differs (org.apache.cassandra.repair).

    options      what was asked for
    ranges       which ranges are repaired, and with whom
    tree         a Merkle tree of a range: leaves of equal width, whose digests are XORed, so that trees of any depth compare
    digest       of a partition, equal for equal data whatever sources it lies in
    validation   the tree of what a store has
    messages     what is asked for and answered (docs/formats/internode.md)
    participant  a replica's side: builds trees, fetches and pushes differences
    sessions     incremental repairs that a node takes part in: what is set apart, until all have committed
    rows         values as rows of the tables that keep what was repaired
    asking       one question to one node, asked again until it is answered
    job          one table in some ranges with all of its replicas: trees, differences, streams
    coordinator  a whole command, `repair`, with what it tells meanwhile
    repairs      all of it of one node: `Repairs` is `ClusterNode.repairs`

Imported where something is repaired.
"""
