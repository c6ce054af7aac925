"""Records compat scripts, or compares them with a server: see README.md, or --help."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.recorder import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
