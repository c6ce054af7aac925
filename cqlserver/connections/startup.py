"""What a STARTUP may ask for (transport/messages/StartupMessage.java)."""

import re

from protocol.compression import ALGORITHMS
from protocol.errors import ProtocolError
from protocol.requests import AUTH_RESPONSE, OPTIONS, STARTUP, Startup

_CASSANDRA_VERSION = re.compile(r"(\d+)\.(\d+)(\.\w+(\.\w+)?)?(-[-.\w]+)?([.+][.\w]+)?", re.ASCII)
"""utils/CassandraVersion.java."""
_OPCODE_NAMES = {0x01: "STARTUP", 0x05: "OPTIONS", 0x07: "QUERY", 0x09: "PREPARE", 0x0A: "EXECUTE", 0x0B: "REGISTER",
                 0x0D: "BATCH", 0x0F: "AUTH_RESPONSE"}  # fmt: skip


def checked_options(request: Startup, version: int) -> tuple[dict[str, str], str | None]:
    """The options by their names in capitals, and the name of the compression. Raises ProtocolError."""
    options = {name.upper(): value for name, value in request.options.items()}
    cql_version = options.get("CQL_VERSION")
    if cql_version is None:
        raise ProtocolError("Missing value CQL_VERSION in STARTUP message")
    numbers = _CASSANDRA_VERSION.fullmatch(cql_version)
    if numbers is None:
        raise ProtocolError(f"Invalid version value: {cql_version}")
    if (int(numbers[1]), int(numbers[2])) < (2, 99):
        raise ProtocolError(
            f"CQL version {cql_version} is not supported by the binary protocol (supported version are >= 3.0.0)"
        )
    compression = options.get("COMPRESSION")
    if compression is not None:
        compression = compression.lower()
        if compression not in ALGORITHMS:
            raise ProtocolError(f"Unknown compression algorithm: {compression}")
        if compression == "snappy" and version >= 5:
            raise ProtocolError("Snappy compression is not supported in protocol V5")
    return options, compression


def check_stage(opcode: int, is_ready: bool, authenticates: bool) -> None:
    """Which messages may come before and after STARTUP (transport/ServerConnection.java). Raises ProtocolError."""
    if is_ready:
        if opcode == STARTUP:
            raise ProtocolError("Unexpected message STARTUP, the connection is already initialized")
    elif authenticates:
        if opcode != AUTH_RESPONSE:
            raise ProtocolError(f"Unexpected message {_OPCODE_NAMES.get(opcode, opcode)}, expecting SASL_RESPONSE")
    elif opcode not in (STARTUP, OPTIONS):
        raise ProtocolError(f"Unexpected message {_OPCODE_NAMES.get(opcode, opcode)}, expecting STARTUP or OPTIONS")
