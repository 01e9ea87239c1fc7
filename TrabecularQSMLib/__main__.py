"""``python -m TrabecularQSMLib`` is the same as ``trabecular-qsm``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
