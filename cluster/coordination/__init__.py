"""What a coordinator does where other nodes have a say: machines without I/O. `requests` knows what waits for whom,
`writing` and `reading` are the machines, `outcome` what they come to, `plans` who takes part, `acknowledgements` counts
answers toward a level."""
