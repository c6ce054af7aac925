"""Words of texts: compat-tests/scripts/sasi has what Cassandra makes of them; here are the borders between classes."""

import pytest

from storage.indexes.sasi import ANALYZER_CLASS, STANDARD, maybe_sasi_analyzer
from storage.indexes.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello, World!", ["Hello", "World"]),
        ("can't stop o'", ["can't", "stop", "o"]),
        ("a.b a,b 1,000.5 1.a x1,2 a:b", ["a.b", "a", "b", "1,000.5", "1", "a", "x1,2", "a:b"]),
        ("foo_bar __ _a_ ___1", ["foo_bar", "_a_", "___1"]),
        ("日本ひらカタカナ、〆々x", ["日", "本", "ひ", "ら", "カタカナ", "々x"]),
        ("ภาษาไทย한국어", ["ภาษาไทย", "한국어"]),
        ("nai\u0308ve \u0301 x\u00ady", ["nai\u0308ve", "x\u00ady"]),
        ("a" * 300 + " b", ["a" * 300, "b"]),
    ],
)
def test_texts_are_cut_at_word_breaks(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


def test_long_runs_take_no_long_time() -> None:
    """Nested repetitions would try all ways to cut a run of connectors that no letter ends."""
    for text in ("_" * 20_000, "a." * 10_000, "_\u0301" * 10_000 + "-", "1," * 10_000):
        list(words(text))


def test_words_are_changed_in_order_case_stop_words_stems() -> None:
    options = {
        ANALYZER_CLASS: STANDARD,
        "tokenization_normalize_lowercase": "true",
        "tokenization_skip_stop_words": "true",
        "tokenization_enable_stemming": "true",
        "tokenization_locale": "en",
    }
    analyze = maybe_sasi_analyzer(options)
    assert analyze is not None
    assert list(analyze(b"The Nations were Generalizing")) == [b"nation", b"general"]
    assert list(analyze(b"the AND of")) == []
    assert list(analyze(b"x" * 256)) == []
