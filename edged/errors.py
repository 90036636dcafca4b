"""Everything that can go wrong, in one tree.

A leaf is named for what its catcher does next. Each error is one line of three parts: the thing, what is wrong with
it, and what to do. Foreign exceptions become one of these at the door they come in by (``raise ... from``).

    EdgedError                    70  a bug of ours, when nothing below fits
    ├── UsageError                 2  say the command differently
    ├── BadInput                  65  this file will never work: keep what you have
    │   ├── ModelRejected         65  this model will never work here: keep the current version
    │   │   ├── KilledWhileLoading 65  or something killed its process: try it once more
    │   │   └── NotAsConfigured    65  or the configuration asks it for something else: correct one of the two
    │   └── InferenceFailed       65  the model gave no answer to this frame: count it, take the next
    ├── InputNotFound             66  nothing is there
    │   └── ModelAwaited          66  no version yet: the server of updates brings the first
    ├── Unreachable               69  not now: try again later
    │   ├── SourceLost            69  the camera went away: reopen it with backoff
    │   ├── BrokerUnreachable     69  the broker is away: connect again with backoff
    │   ├── WorkerLost            69  the model's process died or hung: hand the frame to the next one
    │   ├── UpdateUnreachable     69  the weather between us and the repository: keep what came, ask again
    │   └── RuntimeMissing        69  no ONNX Runtime (or not the provider asked for) in this installation
    ├── CannotWrite               74  disk full, read-only, no permission to write
    ├── NotAllowed                77  refused for who we are: try again slowly, a person must act
    │   └── UpdateRefused         77  what came is not what the keys signed: an alarm, keep what you have
    └── ConfigurationError        78  give up: a supervisor must not start us again
"""

from typing import Literal

Weather = Literal[
    "unreachable",
    "missing",
    "not allowed",
    "no repository",
    "interrupted",
    "too slow",
    "disk full",
    "cannot write",
    "stopped",
]
"""Why updates cannot be had now."""
Refusal = Literal["signature", "rollback", "frozen", "clock", "mismatch", "package"]
"""Which check updates failed."""


class EdgedError(Exception):
    """Base of the tree. ``str()`` is the line a person reads.

    Args:
        subject: The thing: a file, a camera, a key. Never carries a secret.
        problem: What is wrong with it.
        remedy: What to do about it; empty only where nothing can be done.
    """

    exit_code = 70

    def __init__(self, subject: str, problem: str, remedy: str = "") -> None:
        self.subject, self.problem, self.remedy = subject, _harmless(problem), remedy
        line = f"{subject}: {problem}" + (f"; {remedy}" if remedy else "")
        super().__init__(_harmless(" ".join(line.split())))


def _harmless(text: str) -> str:
    """Without what would steer a terminal: names in a stranger's file get into it."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "·" for sign in text)


class UsageError(EdgedError):
    """The command was called wrongly."""

    exit_code = 2


class BadInput(EdgedError):
    """A picture, a video or a model that no retry will make readable."""

    exit_code = 65


class ModelRejected(BadInput):
    """A model that cannot be served here; what ran before goes on."""


class KilledWhileLoading(ModelRejected):
    """The process that loaded a model was killed (SIGKILL), by the kernel or a person, or ended as it got no time."""


class NotAsConfigured(ModelRejected):
    """A model that is good for something else than the configuration wants of it."""


class InferenceFailed(BadInput):
    """A model that raised an error on one input; its process lives on."""


class InputNotFound(EdgedError):
    """A file, a folder or a device that is not there."""

    exit_code = 66


class ModelAwaited(InputNotFound):
    """A model of which the store has no version yet, while the server of updates is asked for the first."""


class Unreachable(EdgedError):
    """Something outside that does not answer now and may later."""

    exit_code = 69


class SourceLost(Unreachable):
    """A camera that went away or never came; its owner reopens it with backoff."""


class BrokerUnreachable(Unreachable):
    """The broker is away; the link connects again with backoff."""


class WorkerLost(Unreachable):
    """The process of a model died, hung or was killed; the frame may be given to its successor."""


class RuntimeMissing(Unreachable):
    """ONNX Runtime, or a provider that was required, is not in this installation."""


class UpdateUnreachable(Unreachable):
    """Updates that cannot be had now: what had come stays, the next try goes on from there.

    Attributes:
        reason: In a word or two, for states and metrics.
    """

    def __init__(self, subject: str, problem: str, remedy: str = "", *, reason: Weather) -> None:
        super().__init__(subject, problem, remedy)
        self.reason = reason


class CannotWrite(EdgedError):
    """A file that cannot be written."""

    exit_code = 74


class NotAllowed(EdgedError):
    """Credentials or permissions that were refused."""

    exit_code = 77


class UpdateRefused(NotAllowed):
    """Updates that failed a check: nothing of them is used, and a person must look.

    Attributes:
        reason: In a word, for states and metrics.
    """

    def __init__(self, subject: str, problem: str, remedy: str = "", *, reason: Refusal) -> None:
        super().__init__(subject, problem, remedy)
        self.reason = reason


class ConfigurationError(EdgedError):
    """A wrong configuration: a supervisor must not try the same again."""

    exit_code = 78
