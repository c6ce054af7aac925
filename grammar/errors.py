"""The error that grammar raises; a leaf module.

`grammar` knows no sibling package: the error is turned into protocol.errors.SyntaxException's kind at the border.
"""


class CqlSyntaxError(Exception):
    """The text is no CQL statement; `message` is what a client sees, in Cassandra's words."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
