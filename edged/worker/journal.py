"""How far a model comes on its way into service: which steps it took, how long, and what is known of it by then.

What loads a model tells its `Journal`; who waits for it keeps a `Progress`. Between the two goes one message after the
other, so that a model which kills the process that loads it has been described up to there.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Message = Mapping[str, Any]
"""Plain values that travel as JSON: ``{"begun": step}``, ``{"passed": step, "ms": …}`` or ``{"known": facts}``."""


@dataclass(slots=True)
class Progress:
    """What was told until now.

    Attributes:
        step: The last one that began; where the model stopped, it is the one that failed.
        step_ms: Milliseconds of each step that was passed, or of its parts until now.
        known: What is known of the model: keys and values as `ModelDescription.to_dict` has them, some or all.
    """

    step: str = ""
    step_ms: dict[str, float] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Take one message down."""
        self.step = message.get("begun", self.step)
        if "passed" in message:
            step = message["passed"]
            self.step_ms[step] = round(self.step_ms.get(step, 0.0) + message["ms"], 3)
        self.known.update(message.get("known", {}))


class Journal:
    """What loads a model writes here; every entry is told at once.

    Attributes:
        progress: The same, taken down here.
    """

    def __init__(self, tell: Callable[[Message], None] = lambda _: None) -> None:
        self.progress = Progress()
        self._others = tell

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step, or a part of it: it is passed if this ends without an error."""
        self._tell({"begun": name})
        started = time.perf_counter()
        yield
        self._tell({"passed": name, "ms": (time.perf_counter() - started) * 1000})

    def know(self, **facts: Any) -> None:
        """What became known, by its name in `ModelDescription`, as values of JSON."""
        self._tell({"known": facts})

    def _tell(self, message: Message) -> None:
        self.progress.take(message)
        self._others(message)
