"""The operations of the control port on the command line: `cqlserver reset --schema`, `cqlserver snapshot NAME`, ...

Arguments that an operation needs stand by themselves, the others are options; all of it is read off the table of operations.
"""

import argparse
import json
import sys
import threading
from contextlib import suppress
from typing import Final

from cqlserver.commands.running_server import add_control_port, client_of, tell_no_server
from cqlserver.control.client import ControlClient, ControlError
from cqlserver.control.operation import BOOLEAN, Operation
from cqlserver.control.operations import BY_NAME

PROGRESS_S: Final = 2.0


def main(name: str, arguments: list[str]) -> int:
    operation = BY_NAME[name]
    options = _parser(operation).parse_args(arguments)
    given = {argument.name: getattr(options, argument.name) for argument in operation.arguments}
    client = client_of(options)
    try:
        answer = _loaded(client, given) if name == "load" else client.call(name, given)
    except ControlError as error:
        print(f"cqlserver {name}: {error.message}", file=sys.stderr)
        return 1
    except OSError as error:
        tell_no_server(name, options.control_port, error)
        return 1
    finally:
        client.close()
    if answer != {}:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def _loaded(client: ControlClient, given: dict[str, object]) -> object:
    """What the operation answers; meanwhile says how far it is. Raises what it raises."""
    outcome: list[object] = []
    raised: list[Exception] = []

    def load() -> None:
        try:
            outcome.append(client.call("load", given))
        except (ControlError, OSError) as error:
            raised.append(error)

    thread = threading.Thread(target=load, daemon=True)  # a signal ends the command; the load goes on without it
    thread.start()
    thread.join(PROGRESS_S)
    while thread.is_alive():
        with suppress(ControlError, OSError):
            told = client.call("loading")
            if isinstance(told, dict) and told:
                print(f"{told['file']}: {told['in_file']:,} statements until now", file=sys.stderr, flush=True)
        thread.join(PROGRESS_S)
    if raised:
        raise raised[0]
    return outcome[0]


def _parser(operation: Operation) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"cqlserver {operation.name}", description=operation.summary + ".")
    add_control_port(parser)
    for argument in operation.arguments:
        if argument.is_required:
            parser.add_argument(argument.name, type=argument.kind.type, help=argument.summary)
        elif argument.kind is BOOLEAN:
            option = f"--{argument.name.replace('_', '-')}"
            action = argparse.BooleanOptionalAction
            parser.add_argument(option, action=action, default=argument.default, help=argument.summary)
        else:
            option = f"--{argument.name.replace('_', '-')}"
            parser.add_argument(option, type=argument.kind.type, default=argument.default, help=argument.summary)
    return parser
