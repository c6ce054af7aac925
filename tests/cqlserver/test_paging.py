"""The paging state survives the round trip, and nothing else is taken for one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cqlserver.paging import (
    DESCRIBE_PAGE,
    DESCRIBE_VERSION,
    NO_LIMIT,
    PagingState,
    check_paging_state,
    decode_paging_state,
)
from protocol.errors import ProtocolError

STATES = st.builds(
    PagingState,
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=40),
    st.integers(0, NO_LIMIT),
    st.integers(0, NO_LIMIT),
)


@settings(derandomize=True, max_examples=50)
@given(STATES)
def test_round_trip(state: PagingState) -> None:
    assert decode_paging_state(state.encode()) == state


@settings(derandomize=True, max_examples=100)
@given(st.binary(max_size=60))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^Invalid value for the paging state$"):
        decode_paging_state(data)


def test_damage_truncation_and_trailing_bytes_are_refused() -> None:
    good = PagingState(b"key", b"\x80row", 5, 2).encode()
    damaged = [good[:i] for i in range(len(good))] + [good + b"\x00"]
    damaged += [good[:i] + bytes([good[i] ^ 0x40]) + good[i + 1 :] for i in range(len(good))]
    for data in damaged:
        with pytest.raises(ProtocolError):
            decode_paging_state(data)


def test_any_request_is_asked_for_its_state() -> None:
    check_paging_state(None)
    check_paging_state(PagingState(b"key", None, 5, 2).encode())
    check_paging_state(DESCRIBE_PAGE.pack(DESCRIBE_VERSION, bytes(16), 40))
    for data in (b"", b"garbage", DESCRIBE_PAGE.pack(2, bytes(16), 40)):
        with pytest.raises(ProtocolError):
            check_paging_state(data)
