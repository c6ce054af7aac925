"""What waits for a task of the background hears of its end, whatever others do that wait for it too."""

import pytest

from storage.background import Background, Lane, Task, TaskState
from storage.environment.strands import InlineWorkers


def test_who_raises_at_the_end_of_a_task_keeps_nobody_else_from_hearing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    background = Background(InlineWorkers(), lambda: 0.0)
    heard: list[TaskState] = []
    task = Task(Lane.FLUSH, "Flush", "ks.t", lambda task: None)
    task.on_end += [[].pop, lambda: heard.append(task.state)]
    background.add(task)
    background.finish()
    assert heard == [TaskState.DONE]
    assert background.is_idle
    assert "what follows Flush of ks.t has failed: pop from empty list" in caplog.text
