"""A read as a value: `command` what is asked of a replica, `execution` how it answers from its store, `answer` what it says
(docs/formats/internode.md), `merging` several answers as one and what each replica lacks."""
