"""`cqlserver top`: what a running server does, once a second, in a terminal. A client of the control port, like nodetool."""
