"""Where the control port listens and what it asks of those who come."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cqlserver.program.tls_settings import TlsSettings

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """`asks_for_token`: of everybody; beyond loopback it does anyway. `token_file` None: `control-token` in the data folder,
    without data a temporary one. `is_tls_as_clients`: encrypted as connections of clients are, in place of `tls`."""

    host: str = LOOPBACK
    asks_for_token: bool = False
    token_file: Path | None = None
    tls: "TlsSettings | None" = None
    is_tls_as_clients: bool = False


def is_loopback(address: str) -> bool:
    """Of an address that a socket is bound to."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
