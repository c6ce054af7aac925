"""The life of a process that is a cluster: its nodes, the control port, readiness, signals, and the way out."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from cqlserver.clustering.in_process import LocalCluster
from cqlserver.clustering.node_configs import node_configs
from cqlserver.connections import garbage
from cqlserver.control.port import serve_control
from cqlserver.program.config import Config
from cqlserver.program.server import (
    STANDARD_OUTPUT,
    StartupError,
    announce,
    check_packages,
    check_passwords,
    maybe_access,
    open_control_socket,
    raise_file_limit,
    stop_when_stdin_ends,
    the_startup_error,
    warm_up,
)

if TYPE_CHECKING:
    from cqlserver.program.own_certificates import OwnCertificates

log = logging.getLogger("cqlserver.cluster")


def run(config: Config, node_count: int, datacenters: Sequence[str] = ()) -> None:
    """Until SIGTERM or SIGINT. Raises StartupError."""
    check_packages()
    raise_file_limit()
    if config.auth.requires_login:
        check_passwords(config)
    configs = node_configs(config, node_count, datacenters)
    try:
        with _certificates(config, configs) as certificates:
            if certificates is not None:
                tls = certificates.settings(config.requires_client_certificate)
                configs = [replace(of, tls=tls) for of in configs]
            trio.run(_serve, config, LocalCluster(configs), certificates)
    except BaseExceptionGroup as group:
        raise the_startup_error(group) from None
    log.info("Stopped")
    logging.shutdown()
    os._exit(0)  # as a single server does


@contextmanager
def _certificates(config: Config, configs: Sequence[Config]) -> "Iterator[OwnCertificates | None]":
    """Those that are made for all nodes, where that is asked for. Raises StartupError."""
    if not config.own_certificates:
        yield None
        return
    from cqlserver.program.own_certificates import own_certificates
    from cqlserver.program.tls_settings import TlsError

    try:
        with own_certificates(config.data, [of.host for of in configs]) as certificates:
            yield certificates
    except TlsError as error:
        raise StartupError(str(error)) from error


async def _serve(config: Config, cluster: LocalCluster, certificates: "OwnCertificates | None") -> None:
    if config.ready_file is not None and config.ready_file != STANDARD_OUTPUT:
        config.ready_file.unlink(missing_ok=True)
    control: socket.socket | None = open_control_socket(config)
    access = maybe_access(config, control)
    cluster.access = access
    try:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                await nursery.start(cluster.run)
                first = cluster.parts[0].node
                assert first is not None
                nursery.start_soon(garbage.collect_forever, first.environment.clock.monotonic)
                if control is not None:
                    nursery.start_soon(serve_control, control, first, cluster, cluster, access)
                if config.until_stdin_ends:
                    nursery.start_soon(stop_when_stdin_ends, nursery.cancel_scope)
                nodes: list[dict[str, object]] = []
                for number, part in enumerate(cluster.parts):
                    control_port = part.config.control_port
                    if number == 0 and control is not None:
                        control_port = control.getsockname()[1]
                    nodes.append({"host": part.config.host, "port": first.port, "control_port": control_port})
                announce(first, cluster.parts[0].config, control, certificates, facts={"nodes": nodes}, access=access)
                nursery.start_soon(warm_up)
                async for signal_number in signals:
                    log.info("Stopping on %s", signal.Signals(signal_number).name)
                    break
                nursery.cancel_scope.cancel()
    finally:
        if access is not None:
            access.close()
        if config.ready_file is not None and config.ready_file != STANDARD_OUTPUT:
            config.ready_file.unlink(missing_ok=True)
