"""How nodetool takes its arguments apart (airline, the library that Cassandra's tool uses for it).

An option that is not known is an argument like any other: `flush -x` flushes a keyspace called -x.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class UsageError(Exception):
    """What nodetool answers with exit status 1 and a hint at its help."""


class Option(NamedTuple):
    """`title`: of its value, None where it takes none; `is_integer`: its value is a whole number."""

    names: tuple[str, ...]
    summary: str
    title: str | None = None
    is_integer: bool = False

    @property
    def key(self) -> str:
        """Under which its value is found: the last of its names, without dashes."""
        return self.names[-1].lstrip("-").replace("-", "_")


class Command(NamedTuple):
    """`usage`: what its arguments are called, "" where it takes none. `module` is one of `doing/`, which has a function of
    the command's name."""

    name: str
    summary: str
    module: str
    options: tuple[Option, ...] = ()
    usage: str = ""
    usage_summary: str = ""


TABLES: Final = "[<keyspace> <tables>...]"
TABLES_SUMMARY: Final = "The keyspace followed by one or many tables"
"""The arguments of commands on tables."""

GLOBAL_OPTIONS: Final = (
    Option(("-h", "--host"), "Node hostname or ip address", "host"),
    Option(("-p", "--port"), "Remote jmx agent port number", "port"),
    Option(("-pp", "--print-port"), "Operate in 4.0 mode with hosts disambiguated by port number"),
    Option(("-pw", "--password"), "Remote jmx agent password", "password"),
    Option(("-pwf", "--password-file"), "Path to the JMX password file", "passwordFilePath"),
    Option(("-u", "--username"), "Remote jmx agent username", "username"),
)


class Parsed(NamedTuple):
    """A command with what it was given. Options that were not are None, or False where they take no value."""

    command: Command | None
    options: dict[str, str | bool | None]
    arguments: list[str]


def parse(words: Sequence[str], commands: Mapping[str, Command]) -> Parsed:
    """Raises UsageError."""
    rest = list(words)
    options: dict[str, str | bool | None] = {o.key: None if o.title else False for o in GLOBAL_OPTIONS}
    while rest and _take_option(rest, GLOBAL_OPTIONS, options):
        pass
    if not rest:
        return Parsed(None, options, [])
    command = commands.get(rest[0])
    if command is None:
        raise UsageError(f"Found unexpected parameters: [{', '.join(rest)}]")
    del rest[0]
    options |= {option.key: None if option.title else False for option in command.options}
    # of two options with one name the command's own counts
    known = (*GLOBAL_OPTIONS, *command.options)
    arguments: list[str] = []
    while rest:
        if rest[0] == "--":
            arguments += rest[1:]
            break
        if not _take_option(rest, known, options):
            arguments.append(rest.pop(0))
    if arguments and not command.usage:
        raise UsageError(f"Found unexpected parameters: [{', '.join(arguments)}]")
    return Parsed(command, options, arguments)


def _take_option(rest: list[str], known: Sequence[Option], options: dict[str, str | bool | None]) -> bool:
    """Takes an option and its value from the front of `rest`; whether there was one."""
    by_name = {name: option for option in known for name in option.names}
    name, equals, value = rest[0].partition("=")
    option = by_name.get(rest[0]) or (by_name.get(name) if equals and name.startswith("--") else None)
    if option is None:
        return False
    if option.title is None:
        if equals:
            return False
        options[option.key] = True
        del rest[0]
        return True
    if not equals:
        if len(rest) < 2:
            raise UsageError(f"Required values for option '{option.title}' not provided")
        value = rest.pop(1)
    del rest[0]
    if option.is_integer:
        _check_integer(option, value)
    options[option.key] = value
    return True


def _check_integer(option: Option, value: str) -> None:
    try:
        int(value)
    except ValueError:
        raise UsageError(f'{option.title}: can not convert "{value}" to a int') from None
