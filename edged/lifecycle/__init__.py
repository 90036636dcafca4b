"""Which version of a model serves: what the store has (`choice`), what a candidate is worth (`trial`), and the swap.

store → choice → trial (the gate) → shadow run → swap → probation → served for good, or back to what was before
"""

from edged.lifecycle.demand import Demand
from edged.lifecycle.model import ServedModel

__all__ = ["Demand", "ServedModel"]
