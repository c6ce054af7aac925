"""Makes the modules beside and above these tests importable (importlib mode has no rootdir on the path)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
