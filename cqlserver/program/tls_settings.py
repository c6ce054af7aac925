"""cassandra.yaml's client_encryption_options and server_encryption_options (config/EncryptionOptions.java), and the
certificates that they name.

Stores are PEM or PKCS12. A JKS store, Cassandra's own default, can't be read here; keytool makes PKCS12 of it.
"""

import logging
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

PEM: Final = b"-----BEGIN"
CLIENT_OPTIONS: Final = "client_encryption_options"
SERVER_OPTIONS: Final = "server_encryption_options"
JKS: Final = b"\xfe\xed\xfe\xed"
_SCOPES: Final = ("none", "rack", "dc", "all")
_SPOOFED: Final = (
    "Setting require_client_auth is incompatible with 'rack' and 'dc' internode_encryption values. It is possible for an "
    "internode connection to pretend to be in the same rack/dc by spoofing its broadcast address in the handshake and "
    "bypass authentication. To ensure that mutual TLS authentication is not bypassed, please set internode_encryption to "
    "'all'. Continuing with insecure configuration."
)

log = logging.getLogger("cqlserver")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """`keystore`: certificate and key, in one store, or with the key in `key_file`. `truststore`: whose certificates of
    clients are believed. `is_optional`: plain connections are served too; `option`: what messages call these settings."""

    keystore: Path
    keystore_password: str | None = None
    key_file: Path | None = None
    truststore: Path | None = None
    truststore_password: str | None = None
    is_optional: bool = False
    requires_client_certificate: bool = False
    ciphers: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    option: str = CLIENT_OPTIONS


@dataclass(frozen=True, slots=True)
class InternodeTlsSettings:
    """Between nodes. `scope`: which connections of this node to others (internode_encryption: none, all, dc, rack);
    `accepting`: of those who call; `calling`: what this node shows where it calls, and whom it believes;
    `verifies_endpoint`: certificates must be of the address that they come from."""

    scope: str
    accepting: TlsSettings
    calling: TlsSettings
    verifies_endpoint: bool = False


class TlsError(ValueError):
    """The settings can't be used; the message says which and what to do."""


def read_tls(options: object, option: str = CLIENT_OPTIONS) -> TlsSettings | None:
    """What `client_encryption_options`, or others like them, say; None: nothing is encrypted. Raises TlsError."""
    if not isinstance(options, Mapping):
        raise TlsError(f"{option} must hold names and values, like `enabled: true`")
    factory = options.get("ssl_context_factory")
    parameters = factory.get("parameters") if isinstance(factory, Mapping) else None
    if isinstance(parameters, Mapping) and "private_key" in parameters:
        raise TlsError(f"{option}: write private_key to a PEM file, and name that as keystore")
    is_enabled = _boolean(option, options, "enabled")
    keystore = options.get("keystore")
    is_optional = not is_enabled and _is_there(keystore)
    if "optional" in options:
        is_optional = _boolean(option, options, "optional")
    if not is_enabled and not (is_optional and keystore):
        return None
    if not keystore:
        raise TlsError(f"{option}: keystore is missing; name a PEM or PKCS12 file")
    requires_client = _boolean(option, options, "require_client_auth")
    truststore = options.get("truststore") if requires_client else None
    return TlsSettings(
        Path(str(keystore)),
        _maybe_text(options, "keystore_password"),
        None,
        Path(str(truststore)) if truststore else None,
        _maybe_text(options, "truststore_password"),
        is_optional,
        requires_client,
        tuple(map(str, options.get("cipher_suites") or ())),
        tuple(map(str, options.get("accepted_protocols") or ())),
        option,
    )


def read_internode_tls(options: object) -> InternodeTlsSettings | None:
    """What `server_encryption_options` say; None: connections between nodes are plain. Raises TlsError."""
    if not isinstance(options, Mapping):
        raise TlsError(f"{SERVER_OPTIONS} must hold names and values, like `internode_encryption: all`")
    scope = str(options.get("internode_encryption", "none"))
    if scope not in _SCOPES:
        raise TlsError(f"{SERVER_OPTIONS}: internode_encryption: {scope} is none of {', '.join(_SCOPES)}")
    keystore, truststore = options.get("keystore"), options.get("truststore")
    is_optional = scope == "none" and _is_there(keystore)
    if "optional" in options:
        is_optional = _boolean(SERVER_OPTIONS, options, "optional")
    if scope == "none" and not (is_optional and keystore):
        return None
    for name, value in (("keystore", keystore), ("truststore", truststore)):
        if not value:
            raise TlsError(f"{SERVER_OPTIONS}: {name} is missing; name a PEM or PKCS12 file")
    own = TlsSettings(
        Path(str(keystore)),
        _maybe_text(options, "keystore_password"),
        truststore=Path(str(truststore)),
        truststore_password=_maybe_text(options, "truststore_password"),
        is_optional=is_optional or scope in ("dc", "rack"),
        requires_client_certificate=_boolean(SERVER_OPTIONS, options, "require_client_auth"),
        ciphers=tuple(map(str, options.get("cipher_suites") or ())),
        protocols=tuple(map(str, options.get("accepted_protocols") or ())),
        option=SERVER_OPTIONS,
    )
    if own.requires_client_certificate and scope in ("dc", "rack"):
        log.warning("%s", _SPOOFED)
    outbound = options.get("outbound_keystore")
    calling = own
    if outbound:
        calling = replace(
            own, keystore=Path(str(outbound)), keystore_password=_maybe_text(options, "outbound_keystore_password")
        )
    return InternodeTlsSettings(scope, own, calling, _boolean(SERVER_OPTIONS, options, "require_endpoint_verification"))


def _boolean(option: str, options: Mapping[str, object], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise TlsError(f"{option}: {name}: {value} is neither true nor false")
    return value


def _is_there(keystore: object) -> bool:
    """Who asks for nothing and has certificates is taken to want encrypted connections later; the stock cassandra.yaml names
    some that are not there."""
    return bool(keystore) and Path(str(keystore)).exists()


def _maybe_text(options: Mapping[str, object], name: str) -> str | None:
    value = options.get(name)
    return None if value is None else str(value)


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """For clients. Reads the stores. Raises TlsError."""
    return _context(ssl.PROTOCOL_TLS_SERVER, settings)


def make_internode_contexts(settings: InternodeTlsSettings) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(of connections to here, of those from here): the latter always look at whom they have reached. Reads the stores.
    Raises TlsError."""
    accepting = _context(ssl.PROTOCOL_TLS_SERVER, settings.accepting)
    calling = _context(ssl.PROTOCOL_TLS_CLIENT, settings.calling)
    calling.check_hostname = settings.verifies_endpoint
    return accepting, calling


def _context(protocol: int, settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    try:
        with tempfile.TemporaryDirectory(prefix="cqlserver-tls-") as folder:
            chain, password = _as_pem(settings.keystore, settings.keystore_password, Path(folder))
            context.load_cert_chain(chain, settings.key_file, password or "")
        if settings.truststore is not None:
            with tempfile.TemporaryDirectory(prefix="cqlserver-tls-") as folder:
                trusted, _ = _as_pem(settings.truststore, settings.truststore_password, Path(folder))
                context.load_verify_locations(trusted)
        if settings.ciphers:
            context.set_ciphers(":".join(settings.ciphers))
    except OSError as error:
        raise TlsError(f"{settings.option}: {settings.keystore}, {settings.truststore}: {error}") from error
    if settings.requires_client_certificate and protocol == ssl.PROTOCOL_TLS_SERVER:
        if settings.truststore is None:
            raise TlsError(f"{settings.option}: require_client_auth needs a truststore; name a PEM or PKCS12 file")
        context.verify_mode = ssl.CERT_REQUIRED
    versions = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
    accepted = [versions[name] for name in settings.protocols if name in versions] or list(versions.values())
    context.minimum_version, context.maximum_version = min(accepted), max(accepted)
    return context


def _as_pem(store: Path, password: str | None, folder: Path) -> tuple[Path, str | None]:
    """The store as a PEM file, which is made in `folder` where it is none, and its password."""
    content = store.read_bytes()
    if PEM in content:
        return store, password
    if content.startswith(JKS):
        raise TlsError(
            f"{store} is a JKS store, which can't be read here: make PKCS12 of it with "
            "`keytool -importkeystore -srckeystore OLD -destkeystore NEW -deststoretype PKCS12`, or PEM files"
        )
    pem = folder / "store.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(_pem_of_pkcs12(store, content, password))
    return pem, None


def _pem_of_pkcs12(store: Path, content: bytes, password: str | None) -> bytes:
    try:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
    except ImportError as error:
        raise TlsError(f"{store}: PKCS12 stores need `pip install 'cqlserver[tls]'`; PEM files don't") from error
    try:
        found = pkcs12.load_pkcs12(content, password.encode() if password is not None else None)
    except ValueError as error:
        raise TlsError(f"{store}: {error}") from error
    parts = []
    if found.key is not None:
        parts.append(found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificates = [found.cert, *found.additional_certs] if found.cert is not None else found.additional_certs
    parts += [certificate.certificate.public_bytes(Encoding.PEM) for certificate in certificates]
    return b"".join(parts)
