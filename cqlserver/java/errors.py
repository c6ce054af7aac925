"""What goes wrong with a body: problems that the compiler finds, and exceptions that the running code throws.

A problem's text is that of Eclipse's compiler, which Cassandra uses. A throwable is a Java object: a class name, a
message, a cause; `JavaThrow` carries one through Python frames.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` counts from 1 within the body; 0: the method around it."""

    line: int
    place: int
    message: str


class CompileError(Exception):
    """The body does not compile."""

    def __init__(self, problems: list[Problem], is_refused: bool = False) -> None:
        super().__init__(problems)
        self.problems = sorted(problems)
        self.is_refused = is_refused
        """It is Java, but not allowed: the bytecode verifier's part."""


class Throwable:
    """An exception object of the running code; `class_name` is fully qualified."""

    __slots__ = ("cause", "class_name", "message", "suppressed")

    def __init__(self, class_name: str, message: str | None = None, cause: "Throwable | None" = None) -> None:
        self.class_name, self.message, self.cause = class_name, message, cause
        self.suppressed: list[Throwable] = []

    def text(self) -> str:
        """Throwable.toString."""
        return self.class_name if self.message is None else f"{self.class_name}: {self.message}"


class JavaThrow(Exception):
    """A throwable on its way up."""

    def __init__(self, throwable: Throwable) -> None:
        super().__init__(throwable)
        self.throwable = throwable


class ExecutionLimit(BaseException):
    """The body ran too long or took too much memory: no `catch` of its own may see it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def thrown(class_name: str, message: str | None = None) -> JavaThrow:
    """To be raised; a name without a package is of java.lang."""
    return JavaThrow(Throwable(class_name if "." in class_name else f"java.lang.{class_name}", message))
