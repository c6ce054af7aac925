"""All fuzzers: `cd compat-tests && python -m hunt --seconds 3600 [name ...]`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent.parent)]

from hunt import histories, messages, statements  # noqa: E402
from hunt.hunting import main  # noqa: E402

main([*messages.FUZZERS, *statements.FUZZERS, *histories.FUZZERS])
