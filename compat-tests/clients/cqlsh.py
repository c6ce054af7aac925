"""cqlsh from PyPI: at a prompt in a pseudo-terminal, or with -e and -f. Its home is a folder of the test's own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
from harness.runner import Address

TIMEOUT_S = 20
PROMPT = r"(?:^|[\r\n])(?:cqlsh(?::\S+)?> )"
PROGRAM = shutil.which("cqlsh", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _command(address: Address, *arguments: str) -> list[str]:
    assert PROGRAM, "cqlsh is not installed"
    options = ["--no-color", "--disable-history", "--request-timeout", "60"]
    return [PROGRAM, *options, *arguments, address.host, str(address.port)]


def _environment(home: Path) -> dict[str, str]:
    """No start-up file, no history, no locale of the machine's; wide enough that no line wraps."""
    return {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "INPUTRC": "/dev/null",
        "CQLSH_NO_BUNDLED": "1",
    }


def run_cqlsh(address: Address, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """cqlsh without a terminal."""
    return subprocess.run(
        _command(address, *arguments),
        cwd=home,
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )


class Shell:
    """cqlsh at its prompt."""

    def __init__(self, address: Address, home: Path, *arguments: str, echo: bool = False) -> None:
        command, *rest = _command(address, *arguments)
        self.child = pexpect.spawn(
            command,
            rest,
            cwd=str(home),
            env=_environment(home),
            encoding="utf-8",
            dimensions=(60, 300),
            timeout=TIMEOUT_S,
            echo=echo,
        )
        self.child.delaybeforesend = None
        self.banner = self._until_prompt()

    def _until_prompt(self) -> str:
        self.child.expect(PROMPT)
        return str(self.child.before).replace("\r\n", "\n").strip("\r\n")

    def run(self, text: str) -> str:
        """What is printed between sending `text`, one line, and the next prompt."""
        self.child.sendline(text)
        return self._until_prompt()

    def complete(self, typed: str, completed: str) -> None:
        """Types a text and a tab, waits for `completed` to appear behind it, and clears the line again."""
        self.child.send(typed + "\t")
        self.child.expect(re.escape(typed) + r"\x07?" + re.escape(completed))
        self.child.send("\x15")

    def close(self) -> int | None:
        """Ends cqlsh as a user does; its exit code."""
        if self.child.isalive():
            self.child.sendline("EXIT")
            self.child.expect(pexpect.EOF)
        self.child.close()
        status: int | None = self.child.exitstatus
        return status


@contextmanager
def opened_shell(address: Address, home: Path, *arguments: str, echo: bool = False) -> Iterator[Shell]:
    shell = Shell(address, home, *arguments, echo=echo)
    try:
        yield shell
    finally:
        shell.child.close(force=True)
