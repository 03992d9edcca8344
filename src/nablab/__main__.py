"""`python -m nablab` is `nablab`."""

import sys

from nablab.cli import main

if __name__ == "__main__":
    sys.exit(main())
