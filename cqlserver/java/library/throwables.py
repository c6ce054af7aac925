"""Exceptions and errors: the tree of their classes, and what all of them can do."""

from typing import Any, Final

from cqlserver.java.classes import ClassSource
from cqlserver.java.errors import Throwable

# Each line: a class and those below it, deeper ones further in.
_TREE: Final = """
java.lang.Throwable
  java.lang.Error
    java.lang.AssertionError
    java.lang.VirtualMachineError
      java.lang.OutOfMemoryError
      java.lang.StackOverflowError
  java.lang.Exception
    java.lang.CloneNotSupportedException
    java.lang.InterruptedException
    java.lang.ReflectiveOperationException
      java.lang.ClassNotFoundException
      java.lang.NoSuchFieldException
      java.lang.NoSuchMethodException
    java.io.IOException
      java.net.UnknownHostException
    java.text.ParseException
    java.lang.RuntimeException
      java.lang.ArithmeticException
      java.lang.ArrayStoreException
      java.lang.ClassCastException
      java.lang.IllegalArgumentException
        java.lang.NumberFormatException
        java.util.IllegalFormatException
          java.util.MissingFormatArgumentException
          java.util.UnknownFormatConversionException
          java.util.IllegalFormatConversionException
          java.util.IllegalFormatPrecisionException
          java.util.MissingFormatWidthException
        java.time.DateTimeException
      java.lang.IllegalStateException
      java.lang.IndexOutOfBoundsException
        java.lang.ArrayIndexOutOfBoundsException
        java.lang.StringIndexOutOfBoundsException
      java.lang.NegativeArraySizeException
      java.lang.NullPointerException
      java.lang.SecurityException
      java.lang.UnsupportedOperationException
      java.nio.BufferOverflowException
      java.nio.BufferUnderflowException
      java.util.ConcurrentModificationException
      java.util.EmptyStackException
      java.util.NoSuchElementException
        java.util.InputMismatchException
      org.apache.cassandra.cql3.functions.types.exceptions.DriverException
        org.apache.cassandra.cql3.functions.types.exceptions.CodecNotFoundException
        org.apache.cassandra.cql3.functions.types.exceptions.InvalidTypeException
"""


def _members(name: str) -> dict[str, Any]:
    def of_cause(cause: Throwable | None) -> Throwable:
        return Throwable(name, None if cause is None else cause.text(), cause)

    return {
        "new()": lambda: Throwable(name),
        "new(String)": lambda message: Throwable(name, message),
        "new(String,Throwable)": lambda message, cause: Throwable(name, message, cause),
        "new(Throwable)": of_cause,
    }


_ROOT: Final[dict[str, Any]] = {
    "String getMessage()": lambda thrown: thrown.message,
    "String getLocalizedMessage()": lambda thrown: thrown.message,
    "Throwable getCause()": lambda thrown: thrown.cause,
    "String toString()": Throwable.text,
    "void printStackTrace()": lambda thrown: None,
    "void addSuppressed(Throwable)": lambda thrown, other: thrown.suppressed.append(other),
}


def sources() -> list[ClassSource]:
    made: list[ClassSource] = []
    above: list[str] = []
    for line in _TREE.strip().splitlines():
        name = line.strip()
        depth = (len(line) - len(name)) // 2
        above[depth:] = [name]
        parent = f" : {above[depth - 1]}" if depth else ""
        members = _members(name) | ({} if depth else _ROOT)
        made.append(ClassSource(name + parent, members))
    return made
