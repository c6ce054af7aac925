"""What became of the statements: counted by area and kind, so that a generator that yields nothing but errors is seen."""

import re
from collections import Counter, defaultdict
from typing import Final

from protocol.responses import Error, Response, RowsResult
from twins.statement import Statement

# What statements are about, by what their text has in it; the first is what they are.
_VERB: Final = re.compile(
    r"\s*(?:BEGIN (?:UNLOGGED |COUNTER )?BATCH|(?:CREATE|ALTER|DROP)(?: OR REPLACE)?(?: CUSTOM| MATERIALIZED)? \w+|\w+)",
    re.IGNORECASE,
)
_FEATURES: Final = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "ALLOW FILTERING": r"ALLOW FILTERING$",
        "ANN OF": r"\bANN OF\b",
        "aggregate": r"\b(?:min|max|sum|avg|count)\(",
        "COMPACT STORAGE": r"COMPACT STORAGE",
        "condition": r"\bIF (?!NOT EXISTS$)",
        "CONTAINS": r"\bCONTAINS (?!KEY)",
        "CONTAINS KEY": r"\bCONTAINS KEY\b",
        "DISTINCT": r"\bDISTINCT\b",
        "GROUP BY": r"\bGROUP BY\b",
        "IN": r"\bIN \(",
        "JSON": r"\bJSON\b",
        "LIKE": r"\bLIKE\b",
        "MASKED": r"\bMASKED\b",
        "ORDER BY": r"\bORDER BY (?!.*\bANN OF\b)",
        "PER PARTITION LIMIT": r"PER PARTITION LIMIT",
        "slice": r" [<>]=? ",
        "token": r"\btoken\(",
        "TTL": r"\bTTL \d",
        "USING sai": r"USING '(?:sai|StorageAttachedIndex)'",
        "USING sasi": r"SASIIndex",
    }.items()
}
ROWS, DONE, EMPTY, ERROR = "rows", "done", "empty", "error"
SHARE_MIN: Final = 0.05
"""Of the statements of a kind this share at least must have succeeded, with rows if it reads ..."""
COUNTED_MIN: Final = 300
"""... if there were that many of them."""
_UNLUCKY: Final = frozenset({"ALTER KEYSPACE", "CREATE KEYSPACE"})


class Outcomes:
    """Of one area or several: `kinds` by area and kind; `codes` of errors by area."""

    def __init__(self) -> None:
        self.kinds: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.codes: Counter[tuple[str, str]] = Counter()
        self.prepared = self.total = 0

    def add(self, area: str, statement: Statement, response: Response) -> None:
        text = statement.text()
        outcome = DONE
        if isinstance(response, Error):
            outcome = ERROR
            self.codes[area, f"0x{response.error.code:04x}"] += 1
        elif isinstance(response, RowsResult):
            outcome = ROWS if response.row_count else EMPTY
        self.total += 1
        self.prepared += statement.prepared
        verb = _VERB.match(text)
        self.kinds[area, verb[0].strip().upper() if verb else "?"][outcome] += 1
        for name, pattern in _FEATURES.items():
            if pattern.search(text):
                self.kinds[area, f"... {name}"][outcome] += 1

    def merge(self, others: "Outcomes") -> None:
        for place, counts in others.kinds.items():
            self.kinds[place].update(counts)
        self.codes.update(others.codes)
        self.total += others.total
        self.prepared += others.prepared

    def lines(self) -> list[str]:
        shown = []
        for (area, kind), counts in sorted(self.kinds.items()):
            numbers = ", ".join(f"{counts[outcome]} {outcome}" for outcome in (ROWS, DONE, EMPTY, ERROR) if counts[outcome])
            shown.append(f"{area:15} {kind:30} {numbers}")
        for area in sorted({area for area, _ in self.codes}):
            codes = ", ".join(f"{count} x {code}" for (of, code), count in self.codes.most_common() if of == area)
            shown.append(f"{area:15} errors: {codes}")
        return shown

    def unlucky(self) -> list[str]:
        """Kinds that hardly ever succeed: what they are about is not tested."""
        found = []
        for (area, kind), counts in sorted(self.kinds.items()):
            lucky = counts[ROWS] + counts[DONE]
            if counts.total() >= COUNTED_MIN and lucky < SHARE_MIN * counts.total() and kind not in _UNLUCKY:
                found.append(f"{area}: {kind}: {lucky} of {counts.total()}")
        return found
