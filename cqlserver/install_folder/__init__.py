"""A folder laid out as an installed Cassandra (`cqlserver ccm-home DIR`), for ccm and whatever else starts one from such a
folder: `writing` lays it out of `files`, `starting` is what its bin/cassandra runs."""
