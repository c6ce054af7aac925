"""Who may use the control port: who has its token; and how connections to it are encrypted.

The token stands in a file that its owner alone can read. It comes as `Authorization: Bearer TOKEN`, never in a URL; what is
kept of it here is its digest. Whoever has it may do everything that the control port can, CQL as a superuser included.
"""

import hashlib
import hmac
import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cqlserver.program.control_settings import is_loopback

if TYPE_CHECKING:
    import ssl

    from cqlserver.program.config import Config

TOKEN_FILE: Final = "control-token"
"""In the data folder."""
TOKEN_BYTES: Final = 32
"""Of randomness in a token that is made here."""
LENGTH_MIN: Final = 16
"""Of a token that somebody else wrote there."""
_SCHEME: Final = b"bearer"


class AccessError(ValueError):
    """The token or the certificates can't be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ControlToken:
    """`file`: where it stands; `digest`: its SHA-256; `temporary`: a folder that goes with the server."""

    file: Path
    digest: bytes
    temporary: Path | None = None

    def is_shown_by(self, authorization: bytes) -> bool:
        """By the header of that name. Takes as long for a token that is nearly right as for any other."""
        scheme, _, given = authorization.partition(b" ")
        return hmac.compare_digest(hashlib.sha256(given.strip()).digest(), self.digest) and scheme.lower() == _SCHEME


@dataclass(frozen=True, slots=True)
class Access:
    """`token` None: nobody is asked for one. `tls` None: connections are plain; `is_tls_optional`: they may be."""

    token: ControlToken | None
    tls: "ssl.SSLContext | None" = None
    is_tls_optional: bool = False

    def close(self) -> None:
        if self.token is not None and self.token.temporary is not None:
            shutil.rmtree(self.token.temporary, ignore_errors=True)


def maybe_access(config: "Config", address: str) -> Access | None:
    """Of a control port that is bound to this address; None where anybody may come, unencrypted. Raises AccessError."""
    settings = config.control
    tls = config.tls if settings.is_tls_as_clients else settings.tls
    asks = settings.asks_for_token or not is_loopback(address)
    if tls is None and settings.is_tls_as_clients:
        raise AccessError("--control-tls clients: connections of clients are not encrypted; see --tls")
    if tls is None and not asks:
        return None
    context, is_optional = None, False
    if tls is not None:
        from cqlserver.program.tls_settings import TlsError, make_context

        try:
            context, is_optional = make_context(tls), tls.is_optional
        except TlsError as error:
            raise AccessError(str(error)) from error
    return Access(_token(config) if asks else None, context, is_optional)


def _token(config: "Config") -> ControlToken:
    settings = config.control
    try:
        if settings.token_file is not None:
            return kept_token(settings.token_file)
        if config.data is not None:
            return kept_token(config.data / TOKEN_FILE)
        temporary = Path(tempfile.mkdtemp(prefix="cqlserver-control-"))
        return kept_token(temporary / TOKEN_FILE, temporary)
    except OSError as error:
        raise AccessError(f"the token of the control port: {error}; choose a place with --control-token-file") from error


def kept_token(file: Path, temporary: Path | None = None) -> ControlToken:
    """The one that stands in the file, which is made where it is not there. Raises AccessError, OSError."""
    file = file.resolve()
    try:
        mode, token = file.stat().st_mode, file.read_bytes().strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(TOKEN_BYTES).encode()
        _write(file, token)
        mode = file.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and os.name == "posix":
        raise AccessError(f"{file}: others may read the token of the control port; take it back (chmod 600)")
    if len(token) < LENGTH_MIN or not token.isascii() or len(token.split()) != 1:
        raise AccessError(
            f"{file}: this is no token; one has at least {LENGTH_MIN} characters of ASCII without spaces. "
            "Without the file one is made"
        )
    return ControlToken(file, hashlib.sha256(token).digest(), temporary)


def _write(file: Path, token: bytes) -> None:
    """Whole or not at all, and at no moment readable for others."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, token + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(file)
