"""nodetool's command line: finds the command, runs it against the control port, says what went wrong.

Exit statuses are Cassandra's: 0 done; 1 wrong arguments (said on standard output, with a hint at the help), or nobody
answers (on standard error); 2 the server could not do it.
"""

import importlib
import keyword
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from cqlserver.commands import closed_output
from cqlserver.control.client import DEFAULT_PORT, PORT_VARIABLE, UNAUTHORIZED, Access, ControlClient, ControlError
from cqlserver.nodetool.arguments import Command, UsageError, parse
from cqlserver.nodetool.cluster_commands import GROUPS
from cqlserver.nodetool.commands import COMMANDS
from cqlserver.nodetool.help_pages import group_page, overview, page

DEFAULT_HOST: Final = "127.0.0.1"
USAGE_CODES: Final = ("BadArgument", "NoSuchKeyspace")
"""Refusals of the control port that Cassandra's nodetool finds out by itself."""
PROGRESS_S: Final = 1.0


class Exit(Exception):
    """The command ends with a status, and has said why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Tool:
    """What a command works with: its options by their longest names, its arguments, the server, and where to print."""

    def __init__(
        self,
        client: ControlClient,
        options: dict[str, Any],
        arguments: list[str],
        write: Callable[[str], object],
    ) -> None:
        self.options, self.arguments = options, arguments
        self._client, self._write = client, write

    def call(self, operation: str, **arguments: object) -> Any:
        """What an operation of the control port answers. Raises ControlError, OSError."""
        with _Progress(self._client):
            return self._client.call(operation, arguments)

    def call_each_keyspace(self, operation: str, default: str = "all", **arguments: object) -> Any:
        """The same, of the keyspace and the tables that are named, or of all keyspaces that `default` means."""
        keyspace = self.arguments[0] if self.arguments else None
        return self.call(operation, keyspace=keyspace, tables=self.arguments[1:], keyspaces=default, **arguments)

    def out(self, text: str) -> None:
        """Prints a line."""
        self._write(text + "\n")

    def write(self, text: str) -> None:
        self._write(text)

    def error(self, message: str) -> None:
        """Says what could not be done, as what the server refuses is said."""
        print(f"error: {message}", file=sys.stderr)


class _Progress:
    """Shows how far compactions and flushes are, in a terminal, where an operation takes more than a second."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        width = 0
        while not self._ended.wait(PROGRESS_S):
            try:
                tasks: Any = self._client.call("tasks")
            except (ControlError, OSError):
                break
            running = [task for task in tasks["tasks"] if task["state"] == "running"]
            told = ", ".join(f"{t['kind']} of {t['keyspace']}.{t['table']} {_percent(t)}" for t in running)
            print(f"\r{told:<{width}}", end="", file=sys.stderr, flush=True)
            width = len(told)
        if width:
            print("\r" + " " * width + "\r", end="", file=sys.stderr, flush=True)


def _percent(task: dict[str, Any]) -> str:
    return f"{100 * task['completed'] // task['total']}%" if task["total"] else ""


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; the process's exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = parse(words, COMMANDS, GROUPS)
        if parsed.command is None:
            print(overview(COMMANDS))
            return 0
        if parsed.command.name == "help":
            _print_help(parsed.arguments)
            return 0
        return _run(parsed.command, parsed.options, parsed.arguments)
    except UsageError as error:
        return _misused(str(error))


def _run(command: Command, options: dict[str, Any], arguments: list[str]) -> int:
    host = options["host"] or DEFAULT_HOST
    text = options["port"] or os.environ.get(PORT_VARIABLE) or DEFAULT_PORT
    try:
        client = ControlClient(host, int(text), Access.of_environment(options["password_file"]))
    except ValueError:
        raise UsageError(f'port: can not convert "{text}" to a int') from None
    name = command.name.replace(" ", "_").replace("-", "_")
    function = f"{name}_" if keyword.iskeyword(name) else name
    run = getattr(importlib.import_module(f"cqlserver.nodetool.doing.{command.module}"), function)
    tool = Tool(client, options, arguments, sys.stdout.write)
    try:
        run(tool)
        sys.stdout.flush()
        return 0
    except Exit as ended:
        return ended.status
    except ControlError as error:
        if error.code in USAGE_CODES:
            return _misused(error.message)
        if error.code == UNAUTHORIZED:
            print(f"nodetool: Failed to connect to '{host}:{text}' - SecurityException: '{error.message}'.", file=sys.stderr)
            print("Name the file that has the token: nodetool -pwf FILE, or CQLSERVER_CONTROL_TOKEN_FILE.", file=sys.stderr)
            return 1
        tool.error(error.message)
        return 2
    except ConnectionRefusedError:
        print(f"nodetool: Failed to connect to '{host}:{text}' - ConnectException: 'Connection refused'.", file=sys.stderr)
        return 1
    except BrokenPipeError:  # of standard output: the client has words of its own for a connection that breaks
        return closed_output.discard()
    except OSError as error:
        print(f"nodetool: Failed to connect to '{host}:{text}' - {type(error).__name__}: '{error}'.", file=sys.stderr)
        return 1
    finally:
        client.close()


def _misused(message: str) -> int:
    print(f"nodetool: {message}")
    print("See 'nodetool help' or 'nodetool help <command>'.")
    return 1


def _print_help(names: list[str]) -> None:
    if not names:
        print(overview(COMMANDS))
    elif (command := COMMANDS.get(names[0])) is not None:
        print(page(command))
    elif (group := GROUPS.get(names[0])) is not None:
        print(group_page(group, COMMANDS))
    else:
        print(f"Unknown command {names[0]}\n")
