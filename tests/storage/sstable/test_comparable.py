"""Values and clusterings as the tries of Rows.db have them: Cassandra's bytes, in the order of the clusterings."""

from pathlib import Path

import pytest

from protocol.types import INT, TEXT, CustomType, TupleType, parse_java
from storage.sstable.comparable import ClusteringForm, form_of, maybe_form
from storage.sstable.constants import BoundKind
from storage.sstable.prefixes import Prefix

FORMS = [line.split("\t") for line in (Path(__file__).parent / "samples" / "forms.tsv").read_text().splitlines()]


def test_each_value_has_the_form_that_cassandra_gives_it() -> None:
    """compat-tests/sstables/record_forms.py recorded them."""
    assert len(FORMS) > 700
    assert len({java for java, _, _ in FORMS}) > 100
    for java, value, expected in FORMS:
        found = form_of(parse_java(java))(bytes.fromhex(value))
        assert ("none" if found is None else found.hex()) == expected, (java, value)


def test_a_clustering_its_bounds_and_what_is_empty() -> None:
    """The examples of ClusteringComparator.ByteComparableClustering."""
    form = ClusteringForm((TEXT, INT), (False, True))

    def path(kind: BoundKind, *values: bytes) -> str:
        return form.path(Prefix(kind, values)).hex()

    assert path(BoundKind.CLUSTERING, b"A", bytes(4)) == "40" "4100" "40" "7fffffff" "38"
    assert path(BoundKind.CLUSTERING, b"", b"") == "40" "00" "41" "38"
    assert path(BoundKind.INCL_START, b"A") == path(BoundKind.EXCL_END, b"A") == "40" "4100" "20"
    assert path(BoundKind.EXCL_START, b"A") == path(BoundKind.INCL_END, b"A") == "40" "4100" "60"
    assert path(BoundKind.INCL_START) == "20"
    assert path(BoundKind.CLUSTERING, b"") == "40" "00" "3e" "38"
    assert path(BoundKind.CLUSTERING) == "3e" "3e" "38"
    assert ClusteringForm((INT,), (False,)).path(Prefix(BoundKind.CLUSTERING, (b"",))) == b"\x3f\x38"


@pytest.mark.parametrize("is_reversed", [False, True])
def test_forms_are_in_the_order_of_their_values(is_reversed: bool) -> None:
    by_type: dict[str, set[bytes]] = {}
    for java, value, _ in FORMS:
        by_type.setdefault(java, set()).add(bytes.fromhex(value))
    compared = 0
    for java, values in by_type.items():
        type_ = parse_java(java)
        form = ClusteringForm((type_,), (is_reversed,))
        paths = {type_.order_key(value): form.path(Prefix(BoundKind.CLUSTERING, (value,))) for value in values}
        ordered = [paths[key] for key in sorted(paths, reverse=is_reversed)]
        assert ordered == sorted(ordered), java
        compared += len(ordered) > 1
    assert compared > 30


def test_of_classes_that_are_not_known_there_is_no_form() -> None:
    custom = CustomType("org.example.Mine")
    assert maybe_form((INT, custom), (False, False)) is None
    assert maybe_form((TupleType((custom,)),), (False,)) is None
    assert maybe_form((), ()) is not None
