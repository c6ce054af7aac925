"""A client of the control port: JSON over HTTP/1.1 on connections that are kept; of the standard library, and little of it.

Python's own http.client takes longer to import than a server takes to answer a hundred times. What comes from our own
server is simple: a status line, headers with Content-Length, a body.
"""

import json
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import ssl

DEFAULT_PORT: Final = 7199
PORT_VARIABLE: Final = "CQLSERVER_CONTROL_PORT"
"""The environment's, for tools: where the control port is."""
TOKEN_FILE_VARIABLE: Final = "CQLSERVER_CONTROL_TOKEN_FILE"
CA_VARIABLE: Final = "CQLSERVER_CONTROL_CA"
CERTIFICATE_VARIABLE: Final = "CQLSERVER_CONTROL_CERTIFICATE"
"""What Access has."""
UNAUTHORIZED: Final = "Unauthorized"
"""The code of a ControlError: the token was not shown, or another."""
TIMEOUT_S: Final = 600.0
"""For one answer."""
UNLIMITED: Final = ("load", "dump", "export")
"""Operations that take what they take."""
_HEAD_BYTES_MAX: Final = 65_536
_TLS_ALERT: Final = b"\x15"
"""What an encrypted port says to who does not encrypt."""


class ControlError(RuntimeError):
    """The server refused an operation, or could not do it. `code`: the name of the error, as Cassandra's
    ("InvalidRequest") or the control port's own ("BadArgument", "NoSuchSnapshot", ...)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Access(NamedTuple):
    """What a control port asks for, as paths: `token_file` has its token, `ca` (PEM) whose certificates to believe where
    connections are encrypted, `certificate` (PEM, with its key) what to show there. None: not asked for."""

    token_file: str | None = None
    ca: str | None = None
    certificate: str | None = None

    @classmethod
    def of_environment(cls, token_file: str | None = None, ca: str | None = None) -> "Access":
        """What is not given is as the environment says."""
        return cls(
            token_file or os.environ.get(TOKEN_FILE_VARIABLE) or None,
            ca or os.environ.get(CA_VARIABLE) or None,
            os.environ.get(CERTIFICATE_VARIABLE) or None,
        )

    def variables(self) -> dict[str, str]:
        """The environment that says so: of places, not of the token."""
        named = (TOKEN_FILE_VARIABLE, CA_VARIABLE, CERTIFICATE_VARIABLE)
        return {name: path for name, path in zip(named, self, strict=True) if path is not None}


class ControlClient:
    """Operations on the control port at `host`:`port`. Threads and forked processes may share one."""

    def __init__(self, host: str, port: int, access: Access | None = None) -> None:
        self.host, self.port = host, port
        self._access = access or Access()
        self._idle: deque[tuple[int, socket.socket]] = deque()  # with the process that opened it
        self._context: ssl.SSLContext | None = None
        self._authorization: str | None = None

    def call(self, operation: str, arguments: dict[str, object] | None = None) -> object:
        """What the operation answers. Raises ControlError, and OSError where there is no server."""
        body = json.dumps({name: value for name, value in (arguments or {}).items() if value is not None}).encode()
        head = self._head(f"POST /{operation}")
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        status, answer = self._exchange(head.encode() + body, None if operation in UNLIMITED else TIMEOUT_S)
        content = json.loads(answer)
        if status != 200:
            error = content["error"]
            raise ControlError(error["code"], error["message"])
        return content

    def text(self, page: str) -> str:
        """A page that is no operation, as it is. Raises ControlError, OSError."""
        status, answer = self._exchange(f"{self._head(f'GET /{page}')}\r\n".encode())
        if status != 200:
            error = json.loads(answer)["error"]
            raise ControlError(error["code"], error["message"])
        return answer.decode()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    def _head(self, what: str) -> str:
        """A request's first lines. Raises ControlError."""
        if self._authorization is None:
            self._authorization = _authorization(self._access.token_file)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{what} HTTP/1.1\r\nHost: {host}:{self.port}\r\n{self._authorization}"

    def _exchange(self, request: bytes, timeout_s: float | None = TIMEOUT_S) -> tuple[int, bytes]:
        sock = self._maybe_idle()
        if sock is not None:
            sock.settimeout(timeout_s)
            try:
                return self._on(sock, request)
            except _ClosedBeforeAnswer:
                pass  # the server had closed it while nobody looked
        sock = socket.create_connection((self.host, self.port), TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        encrypted = self._encrypted(sock)
        encrypted.settimeout(timeout_s)
        return self._on(encrypted, request)

    def _encrypted(self, sock: socket.socket) -> socket.socket:
        if self._access.ca is None:
            return sock
        import ssl

        try:
            if self._context is None:
                context = ssl.create_default_context(cafile=self._access.ca)
                if self._access.certificate is not None:
                    context.load_cert_chain(self._access.certificate)
                self._context = context
            return self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def _maybe_idle(self) -> socket.socket | None:
        while self._idle:
            try:
                pid, sock = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if pid == os.getpid():
                return sock
            sock.close()  # of the process that this one was forked from, which goes on with it
        return None

    def _on(self, sock: socket.socket, request: bytes) -> tuple[int, bytes]:
        try:
            status, answer = _exchange(sock, request)
        except BaseException:
            sock.close()
            raise
        self._idle.append((os.getpid(), sock))
        return status, answer


def _authorization(token_file: str | None) -> str:
    """The header that shows the token of a file; of one with a name in front of it (`nodetool -pwf`) what stands behind."""
    if token_file is None:
        return ""
    try:
        with open(token_file, encoding="ascii") as file:
            words = file.read().split()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds something else"
        raise ControlError("NoToken", f"the control port's token can't be read from {token_file}: {reason}") from error
    if not words:
        raise ControlError("NoToken", f"there is no token in {token_file}")
    return f"Authorization: Bearer {words[-1]}\r\n"


class _ClosedBeforeAnswer(ConnectionError):
    """Not a byte of an answer came."""


def _exchange(sock: socket.socket, request: bytes) -> tuple[int, bytes]:
    try:
        sock.sendall(request)
        data = sock.recv(65_536)
    except (ConnectionResetError, BrokenPipeError) as error:
        raise _ClosedBeforeAnswer("the server closed the connection") from error
    if not data:
        raise _ClosedBeforeAnswer("the server closed the connection")
    if data[:1] == _TLS_ALERT:
        raise ConnectionError(f"the control port is encrypted: say whose certificates to believe, with {CA_VARIABLE}")
    while b"\r\n\r\n" not in data:
        data += _more(sock, len(data) > _HEAD_BYTES_MAX)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(headers["content-length"])
    parts, size = [body], len(body)
    while size < length:
        parts.append(_more(sock, False))
        size += len(parts[-1])
    return int(lines[0].split()[1]), b"".join(parts)


def _more(sock: socket.socket, is_too_much: bool) -> bytes:
    data = b"" if is_too_much else sock.recv(1 << 20)
    if not data:
        raise ConnectionError("the control port's answer is none of a cqlserver, or was cut off")
    return data
