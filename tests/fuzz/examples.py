"""How many examples a property is tried with: few in a test run, more where somebody asks for them."""

import os


def examples(usual: int) -> int:
    """``usual``, or what ``EDGED_FUZZ_EXAMPLES`` says."""
    return int(os.environ.get("EDGED_FUZZ_EXAMPLES") or usual)
