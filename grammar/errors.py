"""The error that grammar raises; a leaf module.

`grammar` knows no sibling package: the error is turned into protocol.errors.SyntaxException's kind at the border.
"""


class CqlSyntaxError(Exception):
    """The text is no CQL statement; `message` is what a client sees, in Cassandra's words. `java_classes`: named as types
    before the fault; Cassandra looks for each when it reads it, and tells the first that is none instead."""

    def __init__(self, message: str, java_classes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.java_classes = message, java_classes


class CqlNestingError(CqlSyntaxError):
    """The text nests deeper than this parser takes. Cassandra's overflows its stack there and answers SERVER_ERROR with
    this very message; so should the border."""

    def __init__(self) -> None:
        super().__init__("java.lang.StackOverflowError")


class CqlTooLongError(CqlSyntaxError):
    """The text has more tokens than this parser takes, or a longer one; no error of syntax to clients."""
