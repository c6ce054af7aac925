"""The picture in a terminal, drawn by rich once a second; keys choose what it shows."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cqlserver.control.client import ControlError
from cqlserver.top.picture import Picture, Sheet, picture
from cqlserver.top.samples import SORTS, Sample

PERIOD_S: Final = 1.0
KEYS_MAX: Final = 64
"""Taken at once."""
_HEIGHT_OF_THE_REST: Final = 14
_KEYS: Final = "r p t: sort by rate, 99 %, table   /: filter by table   space: hold   q: quit"


class Terminal:
    """`take`: a sample now."""

    def __init__(self, take: Callable[[], Sample], sort: str, wanted: str) -> None:
        self._take, self._sort, self._wanted = take, sort, wanted
        self._is_typing = self._is_held = False
        self._fault = ""

    def run(self) -> None:
        """Until q or Ctrl-C. Raises what the first sample raises."""
        console = Console()
        before = now = self._take()
        descriptor = sys.stdin.fileno()
        known = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        try:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                due = time.monotonic() + PERIOD_S
                while True:
                    rows_max = max(3, (console.height - _HEIGHT_OF_THE_REST) // 3)
                    live.update(self._drawn(picture(before, now, self._sort, self._wanted, rows_max)), refresh=True)
                    if self._keys(max(0.0, due - time.monotonic())):
                        return
                    if time.monotonic() < due:
                        continue
                    due = time.monotonic() + PERIOD_S
                    if not self._is_held:
                        before, now = self._next(before, now)
        except KeyboardInterrupt:
            pass
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, known)

    def _next(self, before: Sample, now: Sample) -> tuple[Sample, Sample]:
        try:
            found = now, self._take()
        except (OSError, ControlError) as error:
            self._fault = f"the server does not answer: {error}"
            return before, now
        self._fault = ""
        return found

    def _keys(self, wait_s: float) -> bool:
        """Waits for keys, and does what they say; whether that is to quit."""
        if not select.select([sys.stdin], [], [], wait_s)[0]:
            return False
        typed = os.read(sys.stdin.fileno(), KEYS_MAX).decode("utf-8", "replace")
        return not typed or any(self._key(key) for key in typed)

    def _key(self, key: str) -> bool:
        if self._is_typing:
            if key in "\r\n\x1b":
                self._is_typing = False
            elif key in "\x7f\b":
                self._wanted = self._wanted[:-1]
            else:
                self._wanted += key
            return False
        match key:
            case "q" | "\x04":
                return True
            case "/":
                self._is_typing, self._wanted = True, ""
            case " ":
                self._is_held = not self._is_held
            case _:
                self._sort = next((name for name in SORTS if name[0] == key), self._sort)
        return False

    def _drawn(self, shown: Picture) -> Group:
        foot = f"/{self._wanted}" if self._is_typing else f"{_KEYS}{'   [held]' if self._is_held else ''}"
        lines = [Text(fact) for fact in shown.facts]
        if self._fault:
            lines.append(Text(self._fault, style="bold red"))
        return Group(*lines, *map(_table, shown.sheets), Text(foot, style="reverse" if self._is_typing else "dim"))


def _table(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, title_justify="left", expand=True, caption=None if sheet.rows else sheet.empty)
    for index, head in enumerate(sheet.heads):
        table.add_column(head, justify="right" if index in sheet.right else "left", no_wrap=True)
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table
