"""Guardrails while a server runs: what they are set to, and setting them until the next start."""

from cqlserver.control.context import BadArgument, Control
from cqlserver.program.guardrail_changes import UnknownGuardrail, changed, shown
from cqlserver.program.guardrail_settings import DISK_SIZE, check_disk_size


async def guardrails(control: Control) -> object:
    """All of them by name, with the settings of each."""
    return {
        "guardrails": [
            {"name": guardrail.name, "category": guardrail.category, "settings": dict(values)}
            for guardrail, values in shown(control.node.config)
        ]
    }


async def set_guardrail(control: Control, *, name: str, values: list[str]) -> object:
    """Of thresholds what fails, then what is warned of."""
    node = control.node
    try:
        config = changed(node.config, name, values)
        if name == DISK_SIZE and config.data is not None:
            check_disk_size(config.guardrails, values[0], node.environment.disk.space(str(config.data)).total_bytes)
    except UnknownGuardrail as error:
        raise BadArgument(str(error)) from None
    except ValueError as error:
        raise BadArgument(
            f"Error occured when setting the config for setter {name} with arguments [{', '.join(values)}]: {error}"
        ) from None
    node.set_guardrails(config)
    return {}
