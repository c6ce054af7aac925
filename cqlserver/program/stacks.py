"""What a server is doing: the stacks of all threads and of all tasks of the loop, for SIGQUIT."""

import signal
import sys
import threading
import traceback
from collections.abc import Iterator

import trio


async def tell_on_quit() -> None:
    """Writes them to standard error whenever the process gets a SIGQUIT, until cancelled. Where the loop does not go round
    any more the threads' are written all the same."""
    import faulthandler

    with trio.open_signal_receiver(signal.SIGQUIT) as signals:
        faulthandler.register(signal.SIGQUIT, sys.stderr, all_threads=True, chain=True)
        try:
            async for _ in signals:
                sys.stderr.write("".join(told()))
                sys.stderr.flush()
        finally:
            faulthandler.unregister(signal.SIGQUIT)


def told() -> Iterator[str]:
    """The text, in parts. To be called in a task."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        yield f'Thread "{names.get(ident, ident)}"\n'
        yield from traceback.format_stack(frame)
    root = trio.lowlevel.current_root_task()
    waiting = [root] if root is not None else []
    while waiting:
        task = waiting.pop()
        yield f'Task "{task.name}"\n'
        yield from traceback.format_list(traceback.StackSummary.extract(task.iter_await_frames()))
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
