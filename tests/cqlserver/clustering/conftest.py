"""Makes the modules beside the tests importable (importlib mode has no rootdir on the path)."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from process_ring import ProcessRing


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[ProcessRing]:
    with ProcessRing(tmp_path) as found:
        yield found
