"""Which version of a model serves: what the store has (`choice`), what a candidate is worth (`trial`), and the swap.

store → choice → trial (the gate) → shadow run → swap → probation → served for good, or back to what was before
"""

from typing import TYPE_CHECKING, Any

from edged.lifecycle.demand import Demand

if TYPE_CHECKING:
    from edged.lifecycle.model import ServedModel

__all__ = ["Demand", "ServedModel"]


def __getattr__(name: str) -> Any:
    """`ServedModel` when it is asked for: what it needs takes half a start, and `ahead` comes before that."""
    if name == "ServedModel":
        from edged.lifecycle.model import ServedModel  # noqa: PLC0415

        return ServedModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
