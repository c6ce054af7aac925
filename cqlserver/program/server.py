"""The program's life: environment, data, node, listener, readiness, signals, and the way out."""

import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from cluster.hint_table import HINTS_TABLE
from cluster.ring import random_tokens
from cqlserver.connections import garbage
from cqlserver.connections.background import work_forever
from cqlserver.connections.listener import BACKLOG, Listener
from cqlserver.control import port as control_port
from cqlserver.control.port import serve_control
from cqlserver.guarding import look_at_disk_forever
from cqlserver.node import Node
from cqlserver.plans.compiler import Compiler
from cqlserver.program import allocator, process_limits
from cqlserver.program.config import Config
from cqlserver.program.control_settings import LOOPBACK, ControlSettings, is_loopback
from cqlserver.program.stacks import tell_on_quit
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.virtual_definitions import virtual_keyspaces
from grammar import parser
from protocol.errors import ConfigurationError, StorageError
from storage.commitlog.log import CommitLogOptions, SyncMode
from storage.engine import Engine, EngineOptions
from storage.environment.disk import RealDisk
from storage.environment.environment import Environment, Rng, SystemClock
from storage.environment.strands import ThreadWorkers
from storage.exercise import EXERCISE_VARIABLE, StorageExercise
from storage.local_node import LocalNode, maybe_local_node, save_local_node, stored_place, stored_truncations

if TYPE_CHECKING:
    from cqlserver.connections.tls import Tls
    from cqlserver.control.access import Access
    from cqlserver.program.own_certificates import OwnCertificates
    from storage.cdc.segments import CdcOptions

log = logging.getLogger("cqlserver")

STANDARD_OUTPUT = Path("-")
"""As a ready file."""
PACKAGES = ("cluster", "grammar", "protocol", "storage")


class StartupError(Exception):
    """The server can't start; the message says why and what to do."""


def run(config: Config) -> int:
    """Runs a server until SIGTERM or SIGINT; the process's exit status. Raises StartupError."""
    check_packages()
    allocator.set_up()
    raise_file_limit()
    try:
        trio.run(serve, config)
    except BaseExceptionGroup as group:  # a nursery wraps what its block raises
        raise the_startup_error(group) from None
    log.info("Stopped")
    logging.shutdown()
    # the interpreter would take apart millions of objects one by one; everything that matters is closed
    os._exit(0)


def the_startup_error(group: BaseExceptionGroup[BaseException]) -> StartupError:
    """The one in a group of one. Raises the group where it is something else."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if not isinstance(error, StartupError):
        raise group
    return error


def check_passwords(config: Config) -> None:
    """Says so plainly where passwords can't be checked. Raises StartupError."""
    from importlib.util import find_spec

    if config.auth.ldap is not None and find_spec("ldap3") is None:
        raise StartupError("LdapAuthenticator needs the package ldap3: pip install 'cqlserver[ldap]'")
    if (config.auth.has_passwords or config.auth.first_user is not None) and find_spec("bcrypt") is None:
        raise StartupError("passwords need the package bcrypt: pip install 'cqlserver[auth]'")


def check_packages() -> None:
    """Says so plainly when a module of somebody else's hides one of our packages."""
    home = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        found = sys.modules.get(name)
        path = Path(getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", ["?"])))).resolve()
        if home not in path.parents:
            raise StartupError(f"the module {name} at {path} hides cqlserver's own: start with python -P, or rename it")


def raise_file_limit() -> None:
    """As many open files as the system lets us have: its first answer is often 1,024, and each client takes one."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(config: Config) -> None:
    """A whole server in the current trio run, until cancelled or signalled. Raises StartupError."""
    if not config.own_certificates:
        return await _serve(config, None)
    from cqlserver.program.own_certificates import own_certificates
    from cqlserver.program.tls_settings import TlsError

    try:
        with own_certificates(config.data, (config.host,)) as certificates:
            tls = certificates.settings(config.requires_client_certificate)
            await _serve(replace(config, tls=tls), certificates)
    except TlsError as error:
        raise StartupError(str(error)) from error


async def _serve(config: Config, certificates: "OwnCertificates | None") -> None:
    if config.ready_file is not None and config.ready_file != STANDARD_OUTPUT:
        config.ready_file.unlink(missing_ok=True)  # of a server that was killed: we are not ready yet
    sockets = open_sockets(config)
    control = open_control_socket(config)
    log.info("Data is kept in %s", config.data.resolve() if config.data is not None else "memory alone")
    access = None
    try:
        node = open_node(config)
    except BaseException:
        for sock in (*sockets, *([control] if control is not None else [])):
            sock.close()
        raise
    try:
        node.port = sockets[0].getsockname()[1]
        access = maybe_access(config, control)
        connected = None
        if config.seeds:
            from cqlserver.clustering.process import Connected

            connected = await Connected.of(node, config)
            node = connected.node
        node.describe_itself()
        if config.auth.requires_login:
            check_passwords(config)
        if connected is None:
            if config.auth.requires_login:
                node.assure_superuser()
            run_init_files(node, config)
        if node.commit_log is not None:
            node.commit_log.write()
        if connected is None:
            listen(sockets)
        if config.query_log:
            from cqlserver.query_log.recording import QueryLog

            node.record(QueryLog({}))
        begin_audit(node)
        listener = Listener(node, sockets, make_tls(config), is_open=connected is None)
        if node.durable and (exercise := os.environ.get(EXERCISE_VARIABLE)):
            listener.after_go = StorageExercise(node.engine, exercise == "compact")
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            forever = node.border.forever
            async with trio.open_nursery() as nursery:
                node.turn_clients_away = partial(nursery.start_soon, listener.exclusively, listener.turn_away)
                nursery.start_soon(listener.run)
                nursery.start_soon(forever, partial(garbage.collect_forever, node.environment.clock.monotonic))
                if sys.platform != "win32":
                    nursery.start_soon(tell_on_quit)
                nursery.start_soon(forever, partial(look_at_disk_forever, node))
                if node.durable or node.member is not None:
                    work = partial(work_forever, node.engine, listener.note_stall, listener.want_sync, listener.hold_up)
                    nursery.start_soon(forever, work)
                if control is not None:
                    nursery.start_soon(serve_control, control, node, listener, None, access)
                if config.until_stdin_ends:
                    nursery.start_soon(stop_when_stdin_ends, nursery.cancel_scope)
                if connected is not None:  # to come into the ring takes as long as the data that it is to have
                    await nursery.start(connected.run)
                    connected.serve_with(listener)
                    await connected.make_ready(listener)
                    listen(sockets)
                    listener.open()
                announce(node, config, control, certificates, access=access)
                nursery.start_soon(warm_up)
                async for signal_number in signals:
                    log.info("Stopping on %s", signal.Signals(signal_number).name)
                    break
                if connected is not None:
                    await listener.leave_clients()
                    await connected.shut_down()
                nursery.cancel_scope.cancel()
        log.debug("The longest stall of the loop was %.1f ms", listener.longest_stall_ms)
    finally:
        if config.ready_file is not None and config.ready_file != STANDARD_OUTPUT:
            config.ready_file.unlink(missing_ok=True)
        if access is not None:
            access.close()
        if node.audit_logs is not None:
            node.audit_logs.close()
        node.engine.close()


def begin_audit(node: Node) -> None:
    """Has the audit log on from the start, where the configuration says so. Raises StartupError."""
    options = node.config.audit_log
    if options is None or not options.enabled:
        return
    from cqlserver.audit.logs import audit_logs_of
    from cqlserver.audit.options import placed_audit

    try:
        audit_logs_of(node).enable_audit(placed_audit(options, node.config.data))
    except (OSError, ValueError) as error:
        raise StartupError(f"audit_logging_options: {error}; choose another audit_logs_dir") from error


async def stop_when_stdin_ends(scope: trio.CancelScope) -> None:
    """Whoever started the server holds the other end of its standard input, and when that is closed, is gone."""
    while True:
        await trio.lowlevel.wait_readable(0)
        if not os.read(0, 1024):
            log.info("Stopping: whoever started this server has ended")
            scope.cancel()
            return


def open_control_socket(config: Config) -> socket.socket | None:
    """Raises StartupError."""
    if config.control_port is None:
        return None
    try:
        return control_port.open_control_socket(config.control_port, config.control.host)
    except OSError as error:
        port = config.control_port
        raise StartupError(
            f"can't listen on {config.control.host}:{port}: {error.strerror}. Choose another --control-port "
            "(0 takes any free one), or none."
        ) from error


def maybe_access(config: Config, control: socket.socket | None) -> "Access | None":
    """Who may use the control port; None where everybody may, or there is none. Raises StartupError."""
    if control is None or config.control == ControlSettings():
        return None
    from cqlserver.control import access

    try:
        return access.maybe_access(config, control.getsockname()[0])
    except access.AccessError as error:
        raise StartupError(str(error)) from error


def open_sockets(config: Config) -> list[socket.socket]:
    """Listening sockets, bound but not announced. Raises StartupError."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise StartupError(f"--host {config.host}: {error.strerror}; give an address of this machine") from error
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _cannot_listen(config.host, config.port, error) from error
    return [sock]


def make_tls(config: Config) -> "Tls | None":
    """How connections are encrypted, if they are. Raises StartupError."""
    if config.tls is None:
        return None
    from cqlserver.connections.tls import Tls
    from cqlserver.program.tls_settings import TlsError, make_context

    try:
        return Tls(config.tls, make_context(config.tls))
    except TlsError as error:
        raise StartupError(str(error)) from error


def open_node(config: Config, environment: Environment | None = None, is_one_of_several: bool = False) -> Node:
    """Opens the data and makes a node of it, in this machine's environment or another. A node with seeds is
    `is_one_of_several` anyway. Raises StartupError."""
    if environment is None:
        clock = SystemClock()
        environment = Environment(clock, Rng.from_system(), RealDisk(), ThreadWorkers(clock.monotonic))
    rng = environment.rng
    options = CommitLogOptions(
        SyncMode(config.commitlog_sync),
        config.commitlog_sync_period_ms,
        config.commitlog_sync_group_window_ms,
        config.commitlog_segment_bytes,
        ignore_replay_errors=config.ignore_replay_errors,
    )
    kept = config.data if config.data is not None else config.copy_of
    data = str(kept.resolve()) if kept is not None else None
    built_in = (*stored_system_keyspaces(), *virtual_keyspaces())
    engine_options = EngineOptions(
        data,
        options,
        config.memtable_bytes,
        config.commit_log_bytes,
        config.file_cache_bytes,
        config.storage.key_cache_bytes,
        config.storage.row_cache_bytes,
        config.storage.sstable_version,
        config.storage.compaction_bytes_per_s,
        config.incremental_backups,
        config.archiving,
        _cdc_options(config),
        config.storage.column_index_bytes,
        config.storage.loads_row_cache,
        is_one_of_several or bool(config.seeds),
    )
    engine = Engine(environment, engine_options, built_in, (HINTS_TABLE,))
    try:
        engine.start()
        if config.data is None:
            engine.keep_nothing()
        local = maybe_local_node(engine, config.cluster_name)
        if local is None:
            tokens = config.ring.initial_tokens or random_tokens(rng.fork("tokens"), config.num_tokens)
            local = LocalNode(rng.fork("host id").uuid4(), tuple(sorted(tokens)), config.cluster_name)
            save_local_node(engine, local)
        else:
            assure_same_place(config, *stored_place(engine))
    except (StorageError, ConfigurationError) as error:
        engine.close()
        raise StartupError(str(error)) from error
    except OSError as error:
        engine.close()
        advice = "choose another with --data"
        if error.errno in (errno.EMFILE, errno.ENFILE):
            advice = "each SSTable takes two: raise the limit (ulimit -n)"
        raise StartupError(f"the data folder {data}: {error.strerror or error}; {advice}") from error
    engine.host_id = local.host_id
    if engine.maybe_files is not None:
        engine.truncations = {**stored_truncations(engine), **engine.truncations}
    node = Node(environment, config, engine, local, Compiler)
    try:
        engine.keep_restored()
    except StorageError as error:
        engine.close()
        raise StartupError(str(error)) from error
    return node


def assure_same_place(config: Config, datacenter: str | None, rack: str | None) -> None:
    """A node whose data is where its datacenter and rack were would not be asked for it any more
    (service/StartupChecks.java). Raises ConfigurationError."""
    advice = "Please fix the snitch configuration, decommission and rebootstrap this node or use the flag -Dcassandra"
    if datacenter not in (None, config.datacenter) and not config.ring.ignores_datacenter:
        raise ConfigurationError(
            f"Cannot start node if snitch's data center ({config.datacenter}) differs from previous data center "
            f"({datacenter}). {advice}.ignore_dc=true."
        )
    if rack not in (None, config.rack) and not config.ring.ignores_rack:
        raise ConfigurationError(
            f"Cannot start node if snitch's rack ({config.rack}) differs from previous rack ({rack}). "
            f"{advice}.ignore_rack=true."
        )


def _cdc_options(config: Config) -> "CdcOptions | None":
    """Where changes are captured; None: nowhere."""
    cdc = config.cdc
    if not cdc.enabled:
        return None
    if config.data is None:
        log.warning("cdc_enabled: nothing is captured, because nothing is kept (--memory)")
        return None
    from storage.cdc.format import VERSION_40, VERSION_50
    from storage.cdc.segments import CdcOptions

    data = config.data.resolve()
    return CdcOptions(
        str(cdc.folder(data).resolve()),
        cdc.total_bytes(data),
        config.commitlog_segment_bytes,
        cdc.check_interval_ms / 1000,
        cdc.blocks_writes,
        cdc.on_repair,
        VERSION_40 if config.storage.compatibility_mode == "CASSANDRA_4" else VERSION_50,
    )


def run_init_files(node: Node, config: Config) -> None:
    """Executes the statements of --init before anyone may connect. Raises StartupError naming file and line."""
    if not config.init:
        return
    from cqlserver.program.init_files import SeedError, run_path

    for path in config.init:
        try:
            run_path(node, path)
        except SeedError as error:
            raise StartupError(f"--init {error}") from error
        except OSError as error:
            raise StartupError(f"--init {path}: {error.strerror or error}") from error


def announce(
    node: Node,
    config: Config,
    control: socket.socket | None = None,
    certificates: "OwnCertificates | None" = None,
    facts: Mapping[str, object] | None = None,
    access: "Access | None" = None,
) -> None:
    """Says that the port is open, in the words that other tools wait for."""
    host = config.host
    told: dict[str, object] = {"host": host, "port": node.port, "pid": os.getpid(), **(facts or {})}
    temporary: list[str] = []
    if control is not None:
        told["control_port"] = port = control.getsockname()[1]
        taken = "" if config.control_port in (port, 0) else f" ({config.control_port} is taken)"
        log.info("The control port is %s:%d%s", config.control.host, port, taken)
        told.update(_control_facts(config, control.getsockname()[0], access, certificates))
    encryption = "unencrypted" if config.tls is None else "optionally encrypted" if config.tls.is_optional else "encrypted"
    if certificates is not None:
        told["tls"] = certificates.told()
        if certificates.is_temporary:
            temporary.append(str(certificates.folder))
        log.info("Certificates for clients are in %s", certificates.folder)
    if access is not None and access.token is not None and access.token.temporary is not None:
        temporary.append(str(access.token.temporary))
    if temporary:
        told["temporary"] = temporary  # folders that go with the server
    log.info("Starting listening for CQL clients on %s:%d (%s)...", host, node.port, encryption)
    log.info("%s", node.limits.told())
    log.info("%s", process_limits.told(config))
    log.info("Startup complete")
    if config.ready_file is not None:
        _tell_ready(config.ready_file, json.dumps(told) + "\n")
    garbage.set_up()


def _control_facts(
    config: Config, address: str, access: "Access | None", certificates: "OwnCertificates | None"
) -> dict[str, object]:
    """What tools need for the control port beside its number, for the ready file; the log says it, too."""
    told: dict[str, object] = {}
    if config.control.host != LOOPBACK:
        told["control_host"] = config.control.host
    if access is None:
        return told
    if access.token is not None:
        told["control_token_file"] = str(access.token.file)
        log.info("The control port asks for the token in %s", access.token.file)
        if access.tls is None and not is_loopback(address):
            log.warning("The control port is not encrypted: whoever hears the token can do everything; see --control-tls")
    if access.tls is not None and config.control.is_tls_as_clients and certificates is not None:
        told["control_ca"] = str(certificates.authority)
    return told


def _tell_ready(file: Path, text: str) -> None:
    temporary = file.with_name(file.name + ".new")
    try:
        if file == STANDARD_OUTPUT:
            os.write(1, text.encode())
        else:
            temporary.write_text(text)
            temporary.replace(file)
    except OSError as error:
        raise StartupError(f"--ready-file {file}: {error.strerror}") from error


async def warm_up() -> None:
    """What the first statement would wait for is done while nobody waits."""
    await trio.lowlevel.checkpoint()
    parser.warm_up()


def listen(sockets: list[socket.socket]) -> None:
    """Opens the ports. Raises StartupError."""
    for sock in sockets:
        try:
            sock.listen(BACKLOG)
        except OSError as error:  # another server took the port since open_sockets
            host, port = sock.getsockname()[:2]
            raise _cannot_listen(host, port, error) from error


def _cannot_listen(host: str, port: int, error: OSError) -> StartupError:
    advice = {
        errno.EADDRINUSE: " Is another server running there? Stop it, or choose another --port (0 takes any free one).",
        errno.EADDRNOTAVAIL: " Give an address of this machine as --host.",
        errno.EACCES: " Choose a --port above 1023.",
    }
    return StartupError(f"can't listen on {host}:{port}: {error.strerror}.{advice.get(error.errno or 0, '')}")
