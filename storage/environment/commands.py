"""Commands of the system that a node is told to run: to archive segments of its commit log, to bring them back."""

from collections.abc import Callable, Sequence
from typing import Final

TIMEOUT_S: Final = 600.0
"""No command may take longer: it is ended then, and has failed."""
TOLD_BYTES_MAX: Final = 2_000
"""Of what a command that failed has said."""

RunCommand = Callable[[Sequence[str]], None]
"""Runs a command to its end. Raises OSError, which says why it has failed."""


def run_command(words: Sequence[str]) -> None:
    """On this machine."""
    import subprocess

    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"it took longer than {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        told = done.stdout[-TOLD_BYTES_MAX:].decode("utf-8", "replace").strip()
        raise OSError(f"exit status {done.returncode}{': ' if told else ''}{told}")
