"""getguardrailsconfig and setguardrailsconfig."""

from typing import Any, Final

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import table
from cqlserver.nodetool.program import Exit, Tool

_CATEGORIES: Final = ("values", "thresholds", "flags", "others")
_SHOWN: Final = ("flags", "thresholds", "values", "others")


def getguardrailsconfig(tool: Tool) -> None:
    category = tool.options["c"]
    if category is not None and category.lower() not in _CATEGORIES:
        known = ",".join(_CATEGORIES)
        tool.out(f"\nError: Illegal value for -c/--category used: '{category}'. Supported values are {known}.")
        raise Exit(1)
    if len(tool.arguments) > 1:
        raise UsageError(
            "Specify only one guardrail name to get the configuration of or no name to get the configuration of all of them."
        )
    name = tool.arguments[0] if tool.arguments else None
    if name is not None and category is not None:
        raise UsageError("Do not specify additional arguments when --category/-c is set.")
    found = [chosen for each in tool.call("guardrails")["guardrails"] if (chosen := _chosen(each, name)) is not None]
    if not found:
        raise UsageError(f"Guardrail {name} not found.")
    kinds = _SHOWN if category is None else (category.lower(),)
    expands = tool.options["expand"]
    rows = [row for kind in kinds for each in found if each["category"] == kind for row in _rows(each, expands)]
    tool.write(table([[rows[0][1]]] if category is None and len(rows) == 1 else rows))


def setguardrailsconfig(tool: Tool) -> None:
    if not tool.arguments:
        raise UsageError("No arguments.")
    tool.call("set_guardrail", name=tool.arguments[0], values=tool.arguments[1:])


def _chosen(guardrail: dict[str, Any], name: str | None) -> dict[str, Any] | None:
    """The guardrail where it is of that name, or that of its settings which is."""
    if name in (None, guardrail["name"]):
        return guardrail
    settings = guardrail["settings"]
    return {**guardrail, "settings": {name: settings[name]}} if name in settings else None


def _rows(guardrail: dict[str, Any], expands: bool) -> list[list[str]]:
    settings: dict[str, str] = guardrail["settings"]
    if expands:
        return [[name, value] for name, value in settings.items()]
    values = list(settings.values())
    return [[guardrail["name"], values[0] if len(values) == 1 else f"[{', '.join(values)}]"]]
