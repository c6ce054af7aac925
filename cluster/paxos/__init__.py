"""Compare-and-set among replicas: `state` what a replica has promised and accepted, `messages` what is asked of it,
`replica` its answers, `proposer` the machine that gets a change decided."""
