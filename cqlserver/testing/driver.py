"""The Python driver's Cluster and Session for a server, made when a test wants them and kept as long as the server."""

import logging
from typing import Any, Final

from cqlserver.running import Running
from cqlserver.testing.options import wrong

_KEPT: Final = ("row_factory", "default_timeout", "default_consistency_level", "default_serial_consistency_level",
                "default_fetch_size", "use_client_timestamp", "encoder")  # fmt: skip

_VERSION: Final = 5


def cluster(host: str, port: int, wanted_by: str, **options: object) -> Any:
    """The driver's Cluster, whose sessions take settings of either of the driver's two kinds (execution profiles, or the
    session's own): so no policy is chosen here, and the driver's advice to choose one is not shown."""
    try:
        from cassandra.cluster import Cluster
    except ImportError as error:
        raise wrong(f"{wanted_by} needs the Python driver (pip install cassandra-driver): {error}") from None
    log = logging.getLogger("cassandra.cluster")
    was_disabled, log.disabled = log.disabled, True
    try:
        return Cluster([host], port=port, **options)
    finally:
        log.disabled = was_disabled


class Driver:
    """One Cluster, one Session; what a test changes of the Session is as before for the next one."""

    def __init__(self, server: Running, is_real: bool) -> None:
        """`is_real`: the driver is to find out which version of the protocol it speaks."""
        options = {} if is_real else _newest_version()
        self._cluster: Any = cluster(server.host, server.port, "cassandra_session", **options)
        self._session: Any = self._cluster.connect()
        self._settings = {name: getattr(self._session, name) for name in _KEPT if hasattr(self._session, name)}

    def session(self, keyspace: str) -> Any:
        session = self._session
        for name, value in self._settings.items():
            if getattr(session, name) is not value:
                setattr(session, name, value)
        if session.keyspace != keyspace:
            session.set_keyspace(keyspace)
        return session

    def close(self) -> None:
        self._cluster.shutdown()


def _newest_version() -> dict[str, int]:
    """This server's, if the driver knows it: else it tries its own, and warns of each that is refused in the first test's
    report."""
    try:
        from cassandra import ProtocolVersion
    except ImportError:
        return {}
    known = set(ProtocolVersion.SUPPORTED_VERSIONS).difference(ProtocolVersion.BETA_VERSIONS)
    return {"protocol_version": _VERSION} if _VERSION in known else {}
