"""What SASI indexes are told: their mode, and what they make of texts (index/sasi/conf/IndexMode.java)."""

from collections.abc import Mapping
from typing import Final

from storage.indexes.analysis import Analyze

SASI_CLASS: Final = "org.apache.cassandra.index.sasi.SASIIndex"
MODE: Final = "mode"
ANALYZER_CLASS: Final = "analyzer_class"
ANALYZED: Final = "analyzed"
PREFIX, CONTAINS, SPARSE = "PREFIX", "CONTAINS", "SPARSE"
MODES: Final = (PREFIX, CONTAINS, SPARSE)
_PACKAGE: Final = "org.apache.cassandra.index.sasi.analyzer."
NO_OP: Final = _PACKAGE + "NoOpAnalyzer"
NON_TOKENIZING: Final = _PACKAGE + "NonTokenizingAnalyzer"
TOKENIZING: Final = (_PACKAGE + "StandardAnalyzer", _PACKAGE + "DelimiterAnalyzer")


def sasi_mode(options: Mapping[str, str]) -> str:
    return options.get(MODE, PREFIX).upper()


def maybe_sasi_analyzer(options: Mapping[str, str]) -> Analyze | None:
    """None where texts stay as they are."""
    if options.get(ANALYZER_CLASS) != NON_TOKENIZING or options.get(ANALYZED, "true").lower() != "true":
        return None
    if options.get("case_sensitive", "true").lower() != "true" or options.get("normalize_lowercase", "").lower() == "true":
        return lambda value: value.decode(errors="replace").lower().encode()
    if options.get("normalize_uppercase", "").lower() == "true":
        return lambda value: value.decode(errors="replace").upper().encode()
    return None
