"""See `soak.program`."""

import sys

from soak.program import main

sys.exit(main(sys.argv[1:]))
