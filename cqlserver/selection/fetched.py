"""The columns of one table that the selectors of a SELECT read."""

from storage.schema.metadata import ColumnMetadata


class Fetched:
    """Each column once, in the order in which they were first asked for."""

    __slots__ = ("_places", "columns")

    def __init__(self) -> None:
        self.columns: list[ColumnMetadata] = []
        self._places: dict[str, int] = {}

    def place(self, column: ColumnMetadata) -> int:
        """Where the column's value stands; it is fetched from now on."""
        place = self._places.setdefault(column.name, len(self.columns))
        if place == len(self.columns):
            self.columns.append(column)
        return place
