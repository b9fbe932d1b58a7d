"""`python -m sandbox.helm ARGS`."""

import sys

from sandbox.helm.cli import main

sys.exit(main(sys.argv[1:]))
