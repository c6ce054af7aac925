"""What a STARTUP may ask for (transport/messages/StartupMessage.java)."""

import re

from protocol.compression import ALGORITHMS
from protocol.errors import ProtocolError
from protocol.requests import Startup

_CASSANDRA_VERSION = re.compile(r"(\d+)\.(\d+)(\.\w+(\.\w+)?)?(-[-.\w]+)?([.+][.\w]+)?", re.ASCII)
"""utils/CassandraVersion.java."""


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
