"""Frames of the native protocol: bytes of a connection <-> envelopes, whatever its version.

A connection begins with an `EnvelopeDecoder`. It stops behind a STARTUP: what the next bytes mean depends on its
outcome. `negotiated(decoder, version, compression)` gives the decoder for the rest, which holds the bytes that have
come already (call `receive_data(b"")` once): envelopes as before for v3 and v4, segments from v5 on. What a server
sends after that goes through `encoder(version, compression)`: in v3 and v4 the answer to STARTUP too, as Cassandra
does; in v5 that answer is a bare envelope still.
"""

from typing import TypeAlias

from protocol.compression import compressor
from protocol.envelopes import (
    BETA_VERSION,
    COMPRESSED,
    CURRENT_VERSION,
    CUSTOM_PAYLOAD,
    ENVELOPE_BYTES_MAX,
    ENVELOPE_HEAD_LENGTH,
    GIVEN_BYTES_MAX,
    RESPONSE_BIT,
    TRACING,
    USE_BETA,
    VERSION_NAMES,
    VERSIONS,
    WARNING,
    Envelope,
    EnvelopeDecoder,
    EnvelopeEncoder,
    Refusal,
    invalid_version,
    pack_envelope,
    raise_refusal,
    version_name,
)
from protocol.segments import MESSAGE_BYTES_MAX, SEGMENT_PAYLOAD_MAX, SegmentDecoder, SegmentEncoder

__all__ = [
    "BETA_VERSION", "COMPRESSED", "CURRENT_VERSION", "CUSTOM_PAYLOAD", "ENVELOPE_BYTES_MAX", "ENVELOPE_HEAD_LENGTH",
    "GIVEN_BYTES_MAX", "MESSAGE_BYTES_MAX", "RESPONSE_BIT", "SEGMENT_PAYLOAD_MAX", "TRACING", "USE_BETA", "VERSIONS",
    "VERSION_NAMES", "WARNING", "Decoder", "Encoder", "Envelope", "EnvelopeDecoder", "EnvelopeEncoder", "Refusal",
    "SegmentDecoder",
    "SegmentEncoder", "encoder", "invalid_version", "negotiated", "pack_envelope",
    "raise_refusal", "version_name",
]  # fmt: skip

Decoder: TypeAlias = EnvelopeDecoder | SegmentDecoder
Encoder: TypeAlias = EnvelopeEncoder | SegmentEncoder


def negotiated(decoder: EnvelopeDecoder, version: int, compression: str | None = None) -> Decoder:
    """The decoder for what follows STARTUP; `compression` is `lz4`, `snappy` (not with v5) or None."""
    if version >= 5:
        successor: Decoder = SegmentDecoder(version, compression is not None, decoder.responses)
    else:
        made = compressor(compression) if compression else None
        successor = EnvelopeDecoder(version, made, decoder.responses, decoder.size_max)
    successor.closed = decoder.closed
    successor.preload(decoder.release())
    return successor


def encoder(version: int, compression: str | None = None) -> Encoder:
    """What encodes the messages of a connection after STARTUP and its answer."""
    if version >= 5:
        return SegmentEncoder(compression is not None)
    return EnvelopeEncoder(compressor(compression) if compression else None)
