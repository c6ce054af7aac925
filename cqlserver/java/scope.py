"""The local variables of a body while it is compiled: names, types, places in the frame, and which have a value.

`assigned` is what definite assignment knows at the point that is being compiled (JLS 11, chapter 16): a set of slots, or
None behind a jump, where everything counts as assigned because nothing is reached.
"""

from dataclasses import dataclass, field

from cqlserver.java.types import DOUBLE, LONG, Type

FIRST_SLOT = 2
"""The frame's first two hold the Run and what `return` gave."""

Assigned = frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Local:
    """`machine_slot`: its number in the virtual machine's frame, which NullPointerExceptions show; `parameter`: its number
    among the parameters, 0 if it is none."""

    name: str
    type: Type
    slot: int
    machine_slot: int
    parameter: int = 0
    is_final: bool = False

    @property
    def shown(self) -> str:
        return f"<parameter{self.parameter}>" if self.parameter else f"<local{self.machine_slot}>"


def joined(one: Assigned, other: Assigned) -> Assigned:
    """Where two ways meet."""
    if one is None:
        return other
    return one if other is None else one & other


@dataclass(slots=True)
class Scope:
    locals: dict[str, Local] = field(default_factory=dict)
    assigned: Assigned = frozenset()
    size: int = FIRST_SLOT
    size_max: int = FIRST_SLOT
    _machine_size: int = 1  # 0 is `this`
    _marks: list[tuple[dict[str, Local], int, int]] = field(default_factory=list)

    def enter(self) -> None:
        self._marks.append((dict(self.locals), self.size, self._machine_size))

    def leave(self) -> None:
        self.locals, self.size, self._machine_size = self._marks.pop()

    def declare(self, name: str, type_: Type, parameter: int = 0, is_final: bool = False) -> Local:
        made = Local(name, type_, self.size, self._machine_size, parameter, is_final)
        self.locals[name] = made
        self.forget(made.slot)
        self.size += 1
        self.size_max = max(self.size, self.size_max)
        self._machine_size += 2 if type_ in (LONG, DOUBLE) else 1
        return made

    def hidden(self, count: int = 1) -> int:
        """Slots for what the virtual machine has in variables without a name: what a for-each iterates over."""
        self._machine_size += count
        return self.temporary(count)

    def temporary(self, count: int = 1) -> int:
        """Slots of ours alone."""
        slot = self.size
        self.size += count
        self.size_max = max(self.size, self.size_max)
        return slot

    def assign(self, slot: int) -> None:
        if self.assigned is not None:
            self.assigned = self.assigned | {slot}

    def forget(self, slot: int) -> None:
        if self.assigned is not None:
            self.assigned = self.assigned - {slot}

    def is_assigned(self, slot: int) -> bool:
        return self.assigned is None or slot in self.assigned
