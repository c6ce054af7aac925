"""How the ring changes: nodes join, leave, move and are replaced, and the data goes where it belongs before reads do.

    plans        who gains and who loses a range when one ring becomes another one, and where it is to be had
    barrier      waits until all others know what this node has just said of itself
    movement     one change under way: steps that wait for streams, barriers and time
    joining      bootstrap, replacement, resume
    leaving      decommission
    removing     removenode, assassinate
    moving       move, rebuild
    movements    what of it a node does, as nodetool calls it

A write that was acknowledged is not lost, and no read goes back, because of three rules. Writes go to who will hold a
range, as soon as he says so, and need his acknowledgement on top (topology.py's pending replicas). He takes the data only
when all others know that. And where a range has changed hands, whoever coordinates has the former replica take writes for a
while longer, for those who still read from it; a replica that has heard that a range is no longer its own refuses to be
read.
"""
