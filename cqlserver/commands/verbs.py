"""The operations of the control port on the command line: `cqlserver reset --schema`, `cqlserver snapshot NAME`, ...

Arguments that an operation needs stand by themselves, the others are options; all of it is read off the table of operations.
"""

import argparse
import json
import sys

from cqlserver.commands.running_server import add_control_port, client_of, tell_no_server
from cqlserver.control.client import ControlError
from cqlserver.control.operation import BOOLEAN, Operation
from cqlserver.control.operations import BY_NAME


def main(name: str, arguments: list[str]) -> int:
    operation = BY_NAME[name]
    options = _parser(operation).parse_args(arguments)
    given = {argument.name: getattr(options, argument.name) for argument in operation.arguments}
    client = client_of(options)
    try:
        answer = client.call(name, given)
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
