"""A simulated network: messages come late, twice, in another order, or never; some ways are cut."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simulation.schedule import Schedule
from storage.environment.environment import Rng

Address = TypeVar("Address", bound=Hashable)
Message = TypeVar("Message")


@dataclass
class Weather:
    """Probabilities are per message."""

    delay_s_max: float = 0.05
    loss: float = 0.0
    duplicate: float = 0.0


@dataclass
class Network(Generic[Address, Message]):
    schedule: Schedule
    rng: Rng
    weather: Weather = field(default_factory=Weather)
    receivers: dict[Address, Callable[[Address, Message], None]] = field(default_factory=dict)
    cut: dict[tuple[Address, Address], None] = field(default_factory=dict)
    """Ways, each in one direction."""
    slow: dict[Address, float] = field(default_factory=dict)
    """So much longer, in seconds, takes what comes from there."""
    delivered: int = 0
    doubled: int = 0
    lost: int = 0

    def send(self, sender: Address, receiver: Address, message: Message) -> None:
        if (sender, receiver) in self.cut or self.rng.float() < self.weather.loss:
            self.lost += 1
            return
        is_double = self.rng.float() < self.weather.duplicate
        self.doubled += is_double
        for _ in range(2 if is_double else 1):
            delay_s = self.rng.float() * self.weather.delay_s_max + self.slow.get(sender, 0.0)
            self.schedule.after(delay_s, lambda: self._deliver(sender, receiver, message))

    def _deliver(self, sender: Address, receiver: Address, message: Message) -> None:
        receive = self.receivers.get(receiver)
        if receive is None or (sender, receiver) in self.cut:
            self.lost += 1
            return
        self.delivered += 1
        self.schedule.note(sender, receiver, message)
        receive(sender, message)

    def partition(self, one: Iterable[Address], other: Iterable[Address], one_way: bool = False) -> None:
        """Nothing gets from `one` to `other` any more, nor back unless `one_way`."""
        others = list(other)
        for left in one:
            for right in others:
                self.cut[left, right] = None
                if not one_way:
                    self.cut[right, left] = None

    def heal(self) -> None:
        self.cut.clear()
