"""Server-side DESCRIBE: the schema as the CQL that makes it."""

from cqlserver.describe.statement import ClusterFacts, Description, describe, describe_page

__all__ = ["ClusterFacts", "Description", "describe", "describe_page"]
