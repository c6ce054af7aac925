"""Tokens against Cassandra's own (recorded from `SELECT token(k)`), and the fast paths against the plain hash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.token import MAX_TOKEN, MIN_TOKEN, key_hashes, murmur3, token

RECORDED = [
    ("80", -5284281814142962636),
    ("12ff", -1259198181254556861),
    ("ff3480ff", 4686657187603454511),
    ("e0800080cc80", 6048563329686737012),
    ("00004cfcbe00ff0a", -8286196098930598873),
    ("ff80005abb1f80160008", -6546589646574764572),
    ("74aeff00704300ff695aff0b", -1481956222076990987),
    ("002d3480cfffff0b6200ff2426", -6585822257653236342),
    ("67ff2b00006e54a06b80803478006a", 405578837464180574),
    ("0cbc00802304ff0000007c80ff88ff12ff", -8163840469174749943),
    ("80bd802300dfffeaffd26eff3eef80df43916c", -8885680979612297442),
    ("0072d50080ff00ffff1dff80008000d6005900ff37", -5378739800778237343),
    ("7b3cff8080ef8000001980000000460271ff80800aff2f", 7742374856705720470),
    ("80ff80ff00d100c700808000006cffff91000a0056ff5c49ff", 359755501634279773),
    ("ff80ff530080801a44e400718080beffff220080ff80c0ff1700c880", -7537283573412559579),
    ("805000808061000a01ff0080290081006b004d800180ff80ffffd163ff80802e", -3591816372480378588),
    ("8030800005ffff0080ff00804d80ffbfffff0c8085001a305755101aff8005248080", 4721130594288239895),
    ("aa804000805c80808000800000ffff08020002005780ff00065dffffff80cb00b28000ff", 8085775980083226939),
    ("af807c00080f4500800080ec002780000e00ff00ff800080cb4c7b00064800015780ff126b6fbd", 5151695036219979174),
]


@pytest.mark.parametrize(("key", "expected"), RECORDED)
def test_token_is_cassandras(key: str, expected: int) -> None:
    assert token(bytes.fromhex(key)) == expected
    assert murmur3(bytes.fromhex(key))[0] == expected


@given(st.binary(min_size=1, max_size=70))
@settings(derandomize=True, max_examples=300)
def test_fast_paths_agree_with_the_plain_hash(key: bytes) -> None:
    plain = murmur3(key)
    assert key_hashes(key) == plain
    assert token(key) == (plain[0] if plain[0] != MIN_TOKEN else MAX_TOKEN)


@pytest.mark.parametrize("length", [7, 8, 9, 15, 16, 17, 23, 24, 25, 32])
def test_bytes_of_the_tail_are_signed(length: int) -> None:
    for position in range(length):
        key = bytearray(length)
        key[position] = 0xFF
        assert key_hashes(bytes(key)) == murmur3(bytes(key))


def test_no_bytes_have_the_minimum() -> None:
    assert token(b"") == MIN_TOKEN
