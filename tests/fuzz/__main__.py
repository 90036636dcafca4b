"""See `fuzz.program`."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def _watched() -> AbstractContextManager[Any]:
    """What is imported in it tells atheris which branches it takes, where that is asked for."""
    if "--atheris" not in sys.argv:
        return nullcontext()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    return atheris.instrument_imports(include=["edged"])


if __name__ == "__main__":
    with _watched():
        from fuzz.program import main
        from fuzz.targets import openers

        openers()
    sys.exit(main(sys.argv[1:]))
