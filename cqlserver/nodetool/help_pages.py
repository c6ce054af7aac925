"""What `nodetool help` prints, in airline's layout: the list of commands, and a page for each."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cqlserver.nodetool.arguments import GLOBAL_OPTIONS, Command, Group, Option

WIDTH: Final = 80
_INDENT: Final = 8
_GROUP_OPTIONS: Final = (
    "nodetool",
    "[(-pp | --print-port)]",
    "[(-p <port> | --port <port>)]",
    "[(-pwf <passwordFilePath> | --password-file <passwordFilePath>)]",
    "[(-u <username> | --username <username>)]",
    "[(-pw <password> | --password <password>)]",
    "[(-h <host> | --host <host>)]",
)
"""In the order in which airline has them there."""
_SEPARATOR_SUMMARY: Final = (
    "This option can be used to separate command-line options from the list of argument, (useful when arguments might be "
    "mistaken for command-line options"
)
_SYNOPSES: Final = {"getguardrailsconfig": "[<args>...]", "help": "[<command>...]", "ring": "[<keyspace>]"}
"""Of arguments that are called otherwise there than in the list of options."""
_OVERVIEW: Final = """\
usage: nodetool [(-pp | --print-port)] [(-p <port> | --port <port>)]
        [(-pwf <passwordFilePath> | --password-file <passwordFilePath>)]
        [(-u <username> | --username <username>)]
        [(-pw <password> | --password <password>)] [(-h <host> | --host <host>)]
        <command> [<args>]

The most commonly used nodetool commands are:
"""


def overview(commands: Mapping[str, Command]) -> str:
    """All commands, each with a line."""
    lines = [f"    {command.name:<36}{command.summary}" for command in sorted(commands.values(), key=lambda c: c.name)]
    footer = "See 'nodetool help <command>' for more information on a specific command."
    return _OVERVIEW + "\n".join(lines) + f"\n\n{footer}\n"


def page(command: Command) -> str:
    """All of one command."""
    known = GLOBAL_OPTIONS if command.name != "help" else ()
    options = [*_sorted(known), *_sorted(command.options)]
    words = ["nodetool", *map(_synopsis, _sorted(known)), command.name, *map(_synopsis, _sorted(command.options))]
    if command.usage:
        words += ["[--]", *_synopsis_usage(command).split()]
    lines = ["NAME", *_wrapped(f"nodetool {command.name} - {command.summary}".split(), _INDENT), "", "SYNOPSIS"]
    lines += [*_wrapped(words, _INDENT, _INDENT), "", "OPTIONS"]
    for option in _sorted(options):
        lines += [f"{'':{_INDENT}}{_described(option)}", *_wrapped(option.summary.split(), _INDENT + 4), ""]
    if command.usage:
        lines += [f"{'':{_INDENT}}--", *_wrapped(_SEPARATOR_SUMMARY.split(), _INDENT + 4), ""]
        lines += [f"{'':{_INDENT}}{command.usage}", *_wrapped(command.usage_summary.split(), _INDENT + 4), ""]
    return "\n".join(lines) + "\n"


def group_page(group: Group, commands: Mapping[str, Command]) -> str:
    """All of the commands of a group."""
    members = sorted((c for c in commands.values() if c.name.startswith(group.name + " ")), key=lambda c: c.name)
    lines = ["NAME", *_wrapped(f"nodetool {group.name} - {group.summary}".split(), _INDENT), "", "SYNOPSIS"]
    lines += _wrapped([*_GROUP_OPTIONS, group.name] if group.default else ["nodetool", group.name], _INDENT, _INDENT)
    for command in members:
        words = [*_GROUP_OPTIONS, *command.name.split(), *map(_synopsis, command.options)]
        lines += _wrapped(words, _INDENT, _INDENT)
    lines += ["", "OPTIONS"]
    for option in _sorted(GLOBAL_OPTIONS):
        lines += [f"{'':{_INDENT}}{_described(option)}", *_wrapped(option.summary.split(), _INDENT + 4), ""]
    lines += ["COMMANDS", f"{'':{_INDENT}}With no arguments, {group.default_summary}", ""]
    for command in sorted(members, key=lambda command: command.name != group.default):
        lines += [f"{'':{_INDENT}}{command.name.split()[1]}", *_wrapped(command.summary.split(), _INDENT + 4), ""]
        for option in command.options:
            text = f"With {option.names[-1]} option, {option.summary}"
            lines += [*_wrapped(text.split(), _INDENT + 4), ""]
    return "\n".join(lines) + "\n"


def _synopsis_usage(command: Command) -> str:
    return _SYNOPSES.get(command.name, command.usage)


def _sorted(options: Iterable[Option]) -> list[Option]:
    return sorted(options, key=lambda option: option.names[0].lstrip("-").lower())


def _synopsis(option: Option) -> str:
    value = f" <{option.title}>" if option.title else ""
    names = " | ".join(f"{name}{value}" for name in option.names)
    more = "..." if option.is_repeated else ""
    if option.is_required:
        return f"({names})"
    return f"[({names}){more}]" if len(option.names) > 1 else f"[{names}{more}]"


def _described(option: Option) -> str:
    value = f" <{option.title}>" if option.title else ""
    return ", ".join(f"{name}{value}" for name in option.names)


def _wrapped(words: Iterable[str], indent: int, hanging: int = 0) -> Iterator[str]:
    """Lines of at most WIDTH characters, of which the hanging indent of all but the first is not counted."""
    line, left = "", indent
    for word in words:
        fits = indent + len(line) + 1 + len(word) <= WIDTH
        if line and not fits and (hanging or indent + len(word) <= WIDTH):
            yield " " * left + line
            line, left = word, indent + hanging
        else:
            line += f" {word}" if line else word
    yield " " * left + line if line else ""
