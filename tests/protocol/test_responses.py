"""Responses: round trips, every error code in every version, and the bytes that Cassandra 5.0.8 itself sent."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import errors, metadata, responses, types
from protocol.errors import ProtocolError, RequestError
from protocol.frames import pack_envelope
from protocol.responses import (
    AuthChallenge,
    Authenticate,
    AuthSuccess,
    ColumnSpec,
    Error,
    EventMessage,
    PreparedMetadata,
    PreparedResult,
    Ready,
    Reply,
    Response,
    ResultMetadata,
    RowsResult,
    SchemaChange,
    SchemaChangeResult,
    SetKeyspaceResult,
    StatusChange,
    Supported,
    TopologyChange,
    VoidResult,
)

VERSIONS = (3, 4, 5, 6)
RECORDED = json.loads((Path(__file__).parent / "data" / "cassandra_responses.json").read_text())

A = ColumnSpec("ks", "t", "a", types.INT)
B = ColumnSpec("ks", "t", "b", types.TEXT)
OTHER = ColumnSpec("ks", "u", "c", types.ListType(types.UUID, False))
NODE = (bytes((127, 0, 0, 1)), 9042)
NODE6 = (bytes(15) + b"\x01", 9042)

MESSAGES: list[Response] = [
    Ready(),
    Authenticate("org.apache.cassandra.auth.PasswordAuthenticator"),
    AuthChallenge(b"x"),
    AuthSuccess(None),
    AuthSuccess(b""),
    Supported({"CQL_VERSION": ("3.4.7",), "COMPRESSION": ("snappy", "lz4")}),
    VoidResult(),
    SetKeyspaceResult("ks"),
    RowsResult(ResultMetadata((A, B)), 0, b""),
    RowsResult(ResultMetadata((A, OTHER)), 1, b"\x00\x00\x00\x01a\xff\xff\xff\xff", b"state"),
    PreparedResult(b"i" * 16, PreparedMetadata((A, B), (0,)), ResultMetadata((A, B))),
    PreparedResult(b"i" * 16, PreparedMetadata()),
    SchemaChangeResult(SchemaChange("CREATED", "KEYSPACE", "ks")),
    SchemaChangeResult(SchemaChange("UPDATED", "TABLE", "ks", "t")),
    EventMessage(SchemaChange("DROPPED", "TYPE", "ks", "t")),
    EventMessage(TopologyChange("NEW_NODE", NODE6)),
    EventMessage(StatusChange("DOWN", NODE)),
]


def normal(response: Response, version: int) -> Response:
    """What a reader of `version` can know of a response."""
    if isinstance(response, PreparedResult):
        result_id = response.result_metadata.id if version >= 5 else b""
        indexes = response.metadata.partition_key_indexes if version >= 4 else ()
        return replace(
            response, result_metadata_id=result_id, metadata=replace(response.metadata, partition_key_indexes=indexes)
        )
    return response


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_messages_survive_a_round_trip(message: Response, version: int) -> None:
    envelope = responses.encode(message, version, 5)
    assert envelope[:5] == bytes((version | 0x80, 0x10 * (version == 6), 0, 5, message.opcode))
    reply = responses.decode(version, envelope[1], envelope[4], envelope[9:])
    assert reply == Reply(normal(message, version))


def read_all(response: Response) -> None:
    """The cells of a rows result are not walked before someone wants them."""
    if isinstance(response, RowsResult):
        response.rows()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_truncated_messages_are_protocol_errors(message: Response) -> None:
    body = message.encode(5)
    for length in range(len(body)):
        with pytest.raises(ProtocolError):
            read_all(responses.decode(5, 0, message.opcode, body[:length]).response)


@given(version=st.sampled_from(VERSIONS), flags=st.integers(0, 15), opcode=st.integers(0, 20), body=st.binary(max_size=90))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_random_bodies_are_responses_or_protocol_errors(version: int, flags: int, opcode: int, body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        responses.decode(version, flags, opcode, body)


def test_deeply_nested_type_is_a_protocol_error() -> None:
    body = b"\x00\x00\x00\x02" + bytes(4) + b"\x00\x00\x00\x01" + b"\x00\x00" * 3 + b"\x00\x20" * 50_000
    with pytest.raises(ProtocolError, match="nested"):
        responses.decode(5, 0, responses.RESULT, body)


def test_claimed_counts_take_no_memory() -> None:
    for body in (
        b"\x00\x00\x00\x02\x00\x00\x00\x00\x7f\xff\xff\xff",
        b"\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x00\x7f\xff\xff\xff",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff",
    ):
        with pytest.raises(ProtocolError):
            responses.decode(5, 0, responses.RESULT, body)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"v{r['version']} {r['label'][:40]}")
def test_cassandras_own_bytes_are_decoded_and_made_again(recorded: dict[str, int | str]) -> None:
    version, flags, opcode = int(recorded["version"]), int(recorded["flags"]), int(recorded["opcode"])
    body = bytes.fromhex(str(recorded["body"]))
    reply = responses.decode(version, flags, opcode, body)
    made = responses.encode(reply.response, version, 1, reply.tracing_id, reply.warnings, reply.payload)
    if isinstance(reply.response, RowsResult) and reply.response.skip_metadata:
        made = made[:16] + bytes((made[16] | metadata.GLOBAL_TABLES_SPEC,)) + made[17:]  # the columns are not known here
    assert made == pack_envelope(version | 0x80, flags, 1, opcode, body)
    if isinstance(reply.response, RowsResult):
        assert all(len(row) == reply.response.metadata.column_count for row in reply.response.rows())


def test_ids_are_cassandras() -> None:
    """Recorded for CREATE TABLE t (a int PRIMARY KEY, b text) in the keyspace proto_a."""
    columns = (ColumnSpec("proto_a", "t", "a", types.INT), ColumnSpec("proto_a", "t", "b", types.TEXT))
    assert ResultMetadata(columns).id.hex() == "1beceb7ac65297af77e0ecc8c72a8201"
    assert responses.EMPTY_METADATA.id.hex() == "d41d8cd98f00b204e9800998ecf8427e"
    assert responses.prepared_id("SELECT * FROM t WHERE a=?", "proto_a").hex() == "60215284e9fac36a078514e5be98513b"


def test_metadata_bytes_are_made_once_per_version() -> None:
    shared = ResultMetadata((A, B))
    assert shared.encoded(4) is shared.encoded(4)
    assert shared.encoded(5, skip=True).hex() == "0000000500000002"
    assert shared.head(5, True, None, True)[:4].hex() == "00000009"
    assert shared.head(4, True, b"p", False).hex() == "00000007" + "00000002" + "0000000170"


def test_prefixes_stand_in_the_specifications_order() -> None:
    tracing_id = UUID(int=7)
    envelope = responses.encode(VoidResult(), 4, -1, tracing_id, ["careful"], {"k": None})
    assert envelope[1] == 0x0E
    assert envelope[9:].hex() == tracing_id.hex + "00010007" + b"careful".hex() + "000100016bffffffff" + "00000001"
    assert responses.decode(4, envelope[1], envelope[4], envelope[9:]) == Reply(
        VoidResult(), tracing_id, ("careful",), {"k": None}
    )
    assert responses.encode(VoidResult(), 3, 1, None, ["careful"], {"k": b""}) == responses.void_envelope(3, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_short_ways_give_the_same_bytes(version: int) -> None:
    assert responses.void_envelope(version, -3) == responses.encode(VoidResult(), version, -3)
    rows = RowsResult(ResultMetadata((A, B)), 1, b"\x00\x00\x00\x01a\xff\xff\xff\xff")
    short = responses.rows_envelope(version, 9, rows.metadata.encoded(version), 1, rows.content)
    assert short == responses.encode(rows, version, 9)


COUNTS = (4, 1, 2)
REASONS = {b"\x7f\x00\x00\x01": 3, bytes(16): 0}
ERRORS: list[RequestError] = [
    *[
        kind("told")
        for kind in (
            errors.ServerError, errors.ProtocolError, errors.BadCredentials, errors.Overloaded, errors.IsBootstrapping,
            errors.TruncateError, errors.CdcWriteFailure, errors.CqlSyntaxError, errors.Unauthorized,
            errors.InvalidRequest, errors.ConfigurationError,
        )
    ],
    errors.Unavailable("told", 4, 2, 1),
    errors.WriteTimeout("told", *COUNTS, "SIMPLE"),
    errors.WriteTimeout("told", *COUNTS, "CAS", 7),
    errors.ReadTimeout("told", *COUNTS, True),
    errors.ReadFailure("told", *COUNTS, REASONS, False),
    errors.WriteFailure("told", *COUNTS, REASONS, "BATCH"),
    errors.FunctionFailure("told", "ks", "f", ("int", "text")),
    errors.CasWriteUnknown("told", *COUNTS),
    errors.AlreadyExists("told", "ks", "t"),
    errors.Unprepared("told", b"i" * 16),
]  # fmt: skip


def fields(error: RequestError) -> dict[str, object]:
    return {"class": type(error), **vars(error)}


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_every_error_has_all_its_fields_in_v5(error: RequestError) -> None:
    reply = responses.decode(5, 0, 0, Error(error).encode(5))
    assert isinstance(reply.response, Error)
    assert fields(reply.response.error) == fields(error)
    body = Error(error).encode(5)
    for length in range(len(body)):
        with pytest.raises(ProtocolError):
            responses.decode(5, 0, 0, body[:length])


def test_every_error_class_is_covered() -> None:
    assert {type(error) for error in ERRORS} == set(RequestError.__subclasses__())


TIMED_OUT = "Operation timed out - received only 1 responses."


@pytest.mark.parametrize(
    ("error", "version", "expected"),
    [
        (ERRORS[-3], 4, errors.WriteTimeout(TIMED_OUT, *COUNTS, "CAS")),
        (errors.CasWriteTimeout("cas", *COUNTS, "CAS", 7), 4, errors.WriteTimeout(TIMED_OUT, *COUNTS, "CAS")),
        (errors.CasWriteTimeout("cas", *COUNTS, "SIMPLE", 7), 4, errors.WriteTimeout(TIMED_OUT, *COUNTS, "CAS")),
        (errors.WriteTimeout(TIMED_OUT, *COUNTS, "SIMPLE"), 4, errors.WriteTimeout(TIMED_OUT, *COUNTS, "SIMPLE")),
        (errors.ReadFailure("told", *COUNTS, REASONS, True), 3, errors.ReadTimeout(TIMED_OUT, *COUNTS, True)),
        (errors.WriteFailure("told", *COUNTS, REASONS, "BATCH"), 3, errors.WriteTimeout(TIMED_OUT, *COUNTS, "BATCH")),
        (errors.CdcWriteFailure("full"), 3, errors.InvalidRequest("ERROR CDC_WRITE_FAILURE: full")),
        (
            errors.FunctionFailure("broke", "ks", "f", ()),
            3,
            errors.InvalidRequest("ERROR FUNCTION_FAILURE: broke"),
        ),
    ],
)
def test_older_versions_get_what_they_know(error: RequestError, version: int, expected: RequestError) -> None:
    reply = responses.decode(version, 0, 0, Error(error).encode(version))
    assert isinstance(reply.response, Error)
    assert fields(reply.response.error) == fields(expected)


def test_v4_counts_failures_without_naming_them() -> None:
    body = Error(errors.ReadFailure("told", *COUNTS, REASONS, True)).encode(4)
    assert body.hex() == "00001300" + "0004" + b"told".hex() + "0004" + "00000001" + "00000002" + "00000002" + "01"


def test_message_longer_than_a_string_is_cut_at_a_character() -> None:
    reply = responses.decode(4, 0, 0, Error(errors.InvalidRequest("é" * 40_000)).encode(4))
    assert isinstance(reply.response, Error)
    assert reply.response.error.message == "é" * 32_767


def test_function_change_is_a_keyspace_change_in_v3() -> None:
    change = SchemaChange("CREATED", "FUNCTION", "ks", "f", ("int",))
    assert change.encode(3) == b"\x00\x07UPDATED\x00\x08KEYSPACE\x00\x02ks\x00\x00"
    reply = responses.decode(4, 0, responses.RESULT, SchemaChangeResult(change).encode(4))
    assert reply.response == SchemaChangeResult(change)
