"""What SASI indexes are told: their mode, and what they make of texts (index/sasi/conf/IndexMode.java, and analyzer)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

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
STANDARD: Final = _PACKAGE + "StandardAnalyzer"
DELIMITER: Final = _PACKAGE + "DelimiterAnalyzer"
ANALYZERS: Final = (NO_OP, NON_TOKENIZING, STANDARD, DELIMITER)
WORD_BYTES_MAX: Final = 1023
"""What is longer is not in the index (index/sasi/disk/OnDiskIndexBuilder.java)."""
WORD_CHARACTERS_MAX: Final = 255
_LOWER: Final = "tokenization_normalize_lowercase"
_UPPER: Final = "tokenization_normalize_uppercase"
_STEMMING: Final = "tokenization_enable_stemming"
_SKIPS_STOP_WORDS: Final = "tokenization_skip_stop_words"
_LOCALE: Final = "tokenization_locale"
_STEMMERS: Final[Mapping[str, str]] = {
    "de": "German", "da": "Danish", "es": "Spanish", "en": "English", "fl": "Finnish", "fr": "French", "hu": "Hungarian",
    "it": "Italian", "nl": "Dutch", "no": "Norwegian", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "tr": "Turkish",
}  # fmt: skip
"""Cassandra's StemmerFactory: Finnish is there by a code that it has not."""


def sasi_mode(options: Mapping[str, str]) -> str:
    return options.get(MODE, PREFIX).upper()


def is_analyzed(options: Mapping[str, str]) -> bool:
    return options.get(ANALYZED, str(ANALYZER_CLASS in options)).lower() == "true"


def analyzer_class(options: Mapping[str, str]) -> str:
    """Of an index on texts."""
    return options.get(ANALYZER_CLASS, STANDARD) if is_analyzed(options) else NO_OP


def is_tokenizing(options: Mapping[str, str]) -> bool:
    """Whether a text may have several terms."""
    return analyzer_class(options) in (STANDARD, DELIMITER)


def analyzer_fault(options: Mapping[str, str]) -> str | None:
    """Why an analyzer can't be made of these options."""
    name = analyzer_class(options)
    if name == DELIMITER and len(options.get("delimiter", ",")) != 1:
        return f"Only single character delimiters supported, was {options['delimiter']}"
    pairs = {STANDARD: (_LOWER, _UPPER), NON_TOKENIZING: ("normalize_lowercase", "normalize_uppercase")}
    if name in pairs and all(_is_true(options, option) for option in pairs[name]):
        return "Options to normalize terms cannot be both uppercase and lowercase at the same time"
    needs_language = name == STANDARD and (_is_true(options, _STEMMING) or _is_true(options, _SKIPS_STOP_WORDS))
    if needs_language and _LOCALE in options and len(_language(options)) < 2:
        return f"{_LOCALE} has to begin with a language's code of two letters, was '{options[_LOCALE]}'"
    return None


def maybe_sasi_analyzer(options: Mapping[str, str]) -> Analyze | None:
    """None where texts stay as they are."""
    name = analyzer_class(options)
    if name == NON_TOKENIZING:
        change = _case_of(options)
        return lambda value: (_encoded(change(_decoded(value))),)
    if name == DELIMITER:
        delimiter = options.get("delimiter", ",")
        return lambda value: tuple(part.encode() for part in _decoded(value).split(delimiter) if part)
    if name == STANDARD:
        return _words_analyzer(options)
    return None


def _is_true(options: Mapping[str, str], name: str) -> bool:
    return options.get(name, "").lower() == "true"


def _decoded(value: bytes) -> str:
    return value.decode(errors="replace")


def _encoded(term: str) -> bytes:
    """Analyzers give terms in normal form C."""
    if term.isascii():
        return term.encode()
    from unicodedata import normalize

    return normalize("NFC", term).encode()


def _case_of(options: Mapping[str, str]) -> Callable[[str], str]:
    if options.get("case_sensitive", "true").lower() != "true" or _is_true(options, "normalize_lowercase"):
        return str.lower
    return str.upper if _is_true(options, "normalize_uppercase") else str


def _language(options: Mapping[str, str]) -> str:
    """Two letters; nothing where no language is named."""
    return options.get(_LOCALE, "").lower()[:2]


def _words_analyzer(options: Mapping[str, str]) -> Analyze:
    from storage.indexes.words import words

    change = str.lower if _is_true(options, _LOWER) else str.upper if _is_true(options, _UPPER) else None
    skipped = _stop_words(options) if _is_true(options, _SKIPS_STOP_WORDS) else frozenset()
    stem = _stemmer(options) if _is_true(options, _STEMMING) else None

    def analyze(value: bytes) -> Sequence[bytes]:
        terms = []
        for word in words(_decoded(value)):
            if len(word) > WORD_CHARACTERS_MAX:
                continue
            term = word if change is None else change(word)
            if term not in skipped:
                terms.append(_encoded(term if stem is None else stem(term)))
        return terms

    return analyze


def _stop_words(options: Mapping[str, str]) -> frozenset[str]:
    from storage.indexes.stop_words import stop_words

    return stop_words(_language(options))


def _stemmer(options: Mapping[str, str]) -> Callable[[str], str] | None:
    name = _STEMMERS.get(_language(options))
    if name is None:
        return None
    from importlib import import_module

    module: Any = import_module(f"snowballstemmer.{name.lower()}_stemmer")
    stem: Callable[[str], str] = getattr(module, f"{name}Stemmer")().stemWord
    return stem
