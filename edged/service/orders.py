"""Commands that come over the broker: who is meant, what is wanted, and the answer.

link ─ take ─→ not too often? known? arguments right? ┬→ a model's thread
                      │                               ├→ thread "orders": cameras, one after the other
                      │                               └→ the main thread: reload
                      └→ thread "orders-refused": refusals of a flood, at a pace that the link keeps up with
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import structlog

from edged.errors import EdgedError
from edged.lifecycle import ServedModel
from edged.mqtt.commands import Command
from edged.service.arguments import (
    BOOLEAN,
    QUALITY,
    SCORE_OR_NULL,
    VERSION,
    WIDTH,
    Argument,
    one_of,
    problem,
)
from edged.service.bucket import TokenBucket
from edged.service.reloading import Reply
from edged.service.serial import SerialExecutor, Task

Answer = Callable[[Command, Mapping[str, Any]], None]
Action = Callable[[Mapping[str, Any]], Mapping[str, Any]]

BURST, PER_S = 50, 20.0
"""Commands at once, and steadily: more of them would cost results."""
MAX_WAITING = 64
MAX_REFUSALS, REFUSAL_EVERY_S = 1000, 0.01
"""In a flood refusals go out at this pace, so that they do not push out other answers; more are not sent at all."""
WARN_EVERY_S = 60.0
STUCK_S = 60.0
"""A command that takes longer hangs."""

STOPPING = "edged is stopping; try again later"
TOO_OFTEN = f"too many commands; at most {PER_S:g} a second"
TOO_MANY = "too many commands are waiting; try again later"

log = structlog.get_logger()


class Orders:
    """Hands commands to what they concern. `take` is called from the link's thread and does not wait."""

    def __init__(
        self,
        answer: Answer,
        *,
        models: Callable[[], Mapping[str, ServedModel]],
        cameras: Callable[[], Collection[str]],
        actions: Mapping[str, Action],
        reload: Callable[[Reply], None],
        update: Callable[[str | None, Reply], None],
    ) -> None:
        """Keep what is needed.

        Args:
            answer: Sends an answer; called from any thread.
            models: Those that are there now.
            cameras: Names of those that are configured now.
            actions: What takes time, by verb: ``camera/enable`` and the like.
            reload: Asks for a reload; its reply is called when it is done.
            update: Has the newest version of a model served, from afar too; None = look for updates of all.
        """
        self._answer, self._models, self._cameras = answer, models, cameras
        self._actions, self._reload, self._update = actions, reload, update
        self._bucket = TokenBucket(burst=BURST, per_s=PER_S)
        self._refused, self._warned_s = 0, float("-inf")
        self._executor = SerialExecutor("orders", limit=MAX_WAITING, bound_s=STUCK_S)
        self._refuser = SerialExecutor("orders-refused", limit=MAX_REFUSALS)
        self._closing = threading.Event()

    def start(self) -> None:
        """Begin with what takes time; until then it waits."""
        self._executor.start()
        self._refuser.start()

    def close(self) -> None:
        """Begin nothing any more: what waits, and what still comes, is refused."""
        self._closing.set()
        self._executor.close()
        self._refuser.close()

    def join(self, timeout_s: float) -> bool:
        """After `close`, wait for what is being done; False if that took longer."""
        return self._executor.join(timeout_s)

    def take(self, command: Command) -> None:
        """Do what a command says; the answer follows when it is done."""
        if not self._bucket.take(time.monotonic()):
            self._refuse_flood(command)
            return
        verbs = self._verbs()
        if command.verb not in verbs:
            self._refuse(command, f"unknown command {command.verb!r:.80}; known are {', '.join(verbs)}")
        elif wrong := problem(command.arguments, verbs[command.verb]):
            self._refuse(command, wrong)
        else:
            self._carry_out(command)

    def _verbs(self) -> dict[str, dict[str, Argument]]:
        """Each command and its arguments."""
        camera, model = one_of(self._cameras()), one_of(self._models())
        return {
            "camera/enable": {"name": camera, "enabled": BOOLEAN},
            "camera/min_score": {"name": camera, "min_score": SCORE_OR_NULL},
            "camera/snapshot": {"name": camera, "max_width": WIDTH.optional, "quality": QUALITY.optional},
            "model/activate": {"name": model, "version": VERSION},
            "model/list": {"name": model},
            "model/rollback": {"name": model},
            "model/test": {"name": model, "version": VERSION},
            "model/update": {"name": model.optional},
            "ping": {},
            "reload": {},
        }

    def _carry_out(self, command: Command) -> None:
        """Hand a right command to what it concerns."""
        kind, _, verb = command.verb.rpartition("/")
        reply = partial(self._answer, command)
        if self._closing.is_set():
            self._refuse(command, STOPPING)
        elif command.verb == "model/update":
            self._update(command.arguments.get("name"), reply)
        elif kind == "model":
            arguments = command.arguments
            model = self._models().get(arguments["name"])
            if model is None:  # a reload came in between
                self._refuse(command, "this model was just taken away")
            else:
                model.command(verb, arguments.get("version"), reply)
        elif kind == "camera":
            self._queue(command, self._actions[command.verb])
        elif command.verb == "reload":
            self._reload(reply)
        else:
            self._answer(command, {"ok": True})

    def _queue(self, command: Command, action: Action) -> None:
        task = Task(
            run=partial(self._perform, command, action), cancel=partial(self._refuse, command, STOPPING)
        )
        if not self._executor.submit(task):
            self._refuse(command, STOPPING if self._closing.is_set() else TOO_MANY)

    def _perform(self, command: Command, action: Action) -> None:
        try:
            self._answer(command, action(command.arguments))
        except EdgedError as error:
            self._refuse(command, str(error))
        except Exception as error:  # whoever asked is told, and the next command is carried out
            log.error("a bug in a command", verb=command.verb, exc_info=error)
            self._refuse(command, f"a bug of edged: {error!r}")

    def _refuse_flood(self, command: Command) -> None:
        """One line in a while, not one a command."""
        self._refused += 1
        now_s = time.monotonic()
        if now_s - self._warned_s > WARN_EVERY_S:
            log.warning("too many commands", refused=self._refused, most_per_s=PER_S)
            self._refused, self._warned_s = 0, now_s
        self._refuser.submit(Task(run=partial(self._refuse_slowly, command), cancel=lambda: None))

    def _refuse_slowly(self, command: Command) -> None:
        self._refuse(command, TOO_OFTEN)
        self._closing.wait(REFUSAL_EVERY_S)

    def _refuse(self, command: Command, error: str) -> None:
        self._answer(command, {"ok": False, "error": error})
