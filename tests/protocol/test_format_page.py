"""docs/formats/native-protocol.md says what the code does: its examples are taken apart and made again."""

import re
from pathlib import Path

from protocol import requests, responses
from protocol.frames import EnvelopeDecoder, SegmentDecoder, SegmentEncoder
from protocol.requests import Query, QueryOptions

PAGE = (Path(__file__).parents[2] / "docs" / "formats" / "native-protocol.md").read_text()


def example(name: str) -> bytes:
    (block,) = re.findall(rf"```{name}\n(.*?)```", PAGE, re.DOTALL)
    lines = [line.split("  ", 1) for line in block.splitlines()]
    assert [int(offset, 16) for offset, _ in lines] == list(range(0, 16 * len(lines), 16))
    return bytes.fromhex("".join(data for _, data in lines))


def test_envelope_example() -> None:
    query = Query("SELECT v FROM ks.t WHERE a=?", QueryOptions(values=(b"\x00\x00\x00\x01",), page_size=100))
    data = example("envelope")
    assert requests.encode(query, 4, 3) == data
    ((version, flags, stream, opcode, body),) = EnvelopeDecoder(4).receive_data(data)
    assert (version, flags, stream, opcode) == (4, 0, 3, requests.QUERY)
    decoded, _ = requests.decode(version, flags, opcode, body)
    assert isinstance(decoded, Query)
    assert (decoded.query, decoded.options.values, decoded.options.page_size) == (
        query.query,
        query.options.values,
        100,
    )


def test_segment_example() -> None:
    data = example("segment")
    assert SegmentEncoder().encode([responses.void_envelope(5, 3)]) == data
    ((version, flags, stream, opcode, body),) = SegmentDecoder(5, False, responses=True).receive_data(data)
    assert stream == 3
    assert responses.decode(version, flags, opcode, body).response == responses.VoidResult()


def test_lz4_segment_example() -> None:
    """Compressors differ in what they find; the block of the page must only mean the right thing."""
    query = Query("SELECT * FROM ks.t WHERE a = 1 AND b = 1 AND c = 1 AND d = 1")
    ((_, _, stream, _, body),) = SegmentDecoder(5, True).receive_data(example("lz4-segment"))
    assert (stream, body) == (3, query.encode(5))
