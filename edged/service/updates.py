"""The daemon's end of updates from afar: a thread while ``[updates]`` has an address, and what is known of it.

What downloads and verifies is loaded by the thread, and only where it is wanted.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from edged import __version__, machine
from edged.errors import EdgedError
from edged.lifecycle import ServedModel
from edged.service.reloading import Reply
from edged.settings import Settings
from edged.urls import redacted, with_credentials

if TYPE_CHECKING:
    from edged.service.update_thread import Plan, UpdateThread
    from edged.updates.choosing import Box
    from edged.updates.progress import Progress
    from edged.updates.rounds import Client

OFF = "updates from afar are off; set updates.url, or name a model to have its newest version in the store served"
NO_ALARM = ("rejected", "needs", "conflict")
"""Refused by the box itself: nobody forged anything."""
BUSY = "too many ask for updates, or edged is stopping; try again later"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the start.

    Attributes:
        checks: Times the repository was asked, by result: ``ok``, ``refused``, ``unreachable``.
        arrived_bytes: Of downloads.
        checked_s: When it was last asked and believed, in seconds since 1970; 0 = never.
    """

    checks: Mapping[str, int]
    arrived_bytes: int = 0
    checked_s: float = 0.0


class Updates:
    """Owned by the main thread; any thread may `ask`, and look at what is known."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        models: Callable[[], Mapping[str, ServedModel]],
        state: Path | None,
        on_change: Callable[[ServedModel], None],
        remember: Callable[[str], None],
    ) -> None:
        """Nothing is asked yet.

        Args:
            settings: In force.
            models: That are used, now.
            state: The folder of this instance; None = nothing is updated.
            on_change: Called when the update of a model has come further, from the thread ``updates``.
            remember: Takes an alarm for the reports of health.
        """
        self._settings, self._models, self._state = settings, models, state
        self._on_change, self._remember = on_change, remember
        self._lock = threading.Lock()
        self._thread: UpdateThread | None = None
        self._known: dict[str, Progress] = {}
        self._said_no: frozenset[str] = frozenset()
        self.totals = Totals({})

    @property
    def wanted(self) -> bool:
        """Whether they are on."""
        return bool(self._state and self._settings().updates.url)

    @property
    def may_bring_any(self) -> bool:
        """Whether a box without a model that serves has something to wait for."""
        return self.wanted and any(_is_updated(model) for model in self._models().values())

    def apply(self) -> None:
        """Put the settings in force: begin, end, or work by others from now on. Returns at once."""
        plan, before = self._plan(), self._thread
        self._say_what_is_not_updated(plan)
        if before and before.plan == plan:
            return
        if before:
            before.halt()
            self._forget()
        self._thread = self._begin(plan, before) if plan else None

    def known(self, name: str) -> "Progress | None":
        """How far the update of a model is; None where there is none."""
        return self._known.get(name)

    def ask(self, name: str | None, reply: Reply) -> None:
        """Look for updates now: ``cmd/model/update``.

        Args:
            name: Of a model, whose pin is taken away; None = all that are updated from afar.
            reply: Called once, when it is known what is offered.
        """
        if name is None:
            self._look(None, partial(self._answer_all, reply), reply)
            return
        model = self._models().get(name)
        if model is None:  # a reload came in between
            reply({"ok": False, "error": "this model was just taken away"})
        elif self._thread is None or not _is_updated(model):
            model.command("update", None, reply)
        else:
            model.command("update", None, partial(self._then_look, name, reply))

    def halt(self) -> None:
        """Begin nothing any more."""
        if self._thread:
            self._thread.halt()

    def join(self, timeout_s: float) -> bool:
        """After `halt`, wait for the thread; False if that took longer."""
        return self._thread is None or self._thread.join(timeout_s)

    # The thread

    def _plan(self) -> "Plan | None":
        if not self.wanted:
            return None
        from edged.service.update_thread import Plan  # noqa: PLC0415  # for who wants updates

        settings = self._settings()
        return Plan(settings.updates, settings.device, settings.store.path)

    def _begin(self, plan: "Plan", before: "UpdateThread | None") -> "UpdateThread":
        from edged.service.update_thread import UpdateThread  # noqa: PLC0415  # likewise

        return UpdateThread(
            plan,
            self,
            open_client=partial(self._open_client, plan),
            box=partial(self._box, plan.device),
            models=self._pins,
            before=before,
        )

    def _open_client(self, plan: "Plan", stopping: Callable[[], bool]) -> "Client":
        from edged.updates.client import UpdateClient  # noqa: PLC0415  # what it needs is large

        section = plan.section
        return UpdateClient(
            with_credentials(section.url, "updates.url"),
            section.root or Path(),
            state=self._state or Path(),
            store=plan.store,
            max_rate_bytes_s=float(section.max_rate) if section.max_rate else None,
            stopping=stopping,
        )

    def _box(self, device: str) -> "Box":
        from edged.updates.choosing import Box  # noqa: PLC0415  # likewise

        described = [model.description for model in self._models().values()]
        providers = dict.fromkeys(name for one in described if one for name in one.providers_available)
        return Box(device, __version__, tuple(providers), machine.memory_bytes())

    def _pins(self) -> dict[str, int | None]:
        """Models that are updated, and the version that each is pinned to."""
        return {name: model.state("").pinned for name, model in self._models().items() if _is_updated(model)}

    # What the thread says

    def told(self, name: str, progress: "Progress") -> None:
        """How far a model is."""
        with self._lock:
            before = self._known.get(name)
            progress = replace(progress, at_s=time.time()).since(before)
            self._known = {**self._known, name: progress}
        if progress == before:
            return
        if before is None or (before.state, before.version, before.reason) != (
            progress.state,
            progress.version,
            progress.reason,
        ):
            self._log(name, progress)
        if model := self._models().get(name):
            self._on_change(model)

    def checked(self, result: str) -> None:
        """The repository was asked."""
        totals = self.totals
        self.totals = replace(
            totals,
            checks={**totals.checks, result: totals.checks.get(result, 0) + 1},
            checked_s=time.time() if result == "ok" else totals.checked_s,
        )

    def arrived(self, count: int) -> None:
        """Bytes of a download have come."""
        self.totals = replace(self.totals, arrived_bytes=self.totals.arrived_bytes + count)

    def alarmed(self, why: str) -> None:
        """Something did not stand its check."""
        self._remember(why)

    def _log(self, name: str, progress: "Progress") -> None:
        """What the thread has not said itself."""
        version, why = progress.version, progress.reason
        if progress.state == "refused" and version:
            known = why.partition(":")[0] in NO_ALARM
            (log.warning if known else log.error)("update refused", model=name, version=version, why=why)
        elif progress.state in {"offered", "downloading"} or (progress.state == "checked" and why):
            log.info(f"update {progress.state}", model=name, version=version, why=why)

    def _forget(self) -> None:
        with self._lock:
            names, self._known = list(self._known), {}
        for name in names:
            if model := self._models().get(name):
                self._on_change(model)

    def _say_what_is_not_updated(self, plan: "Plan | None") -> None:
        """Once for each model."""
        fixed = frozenset(name for name, model in self._models().items() if plan and not _is_updated(model))
        for name in sorted(fixed - self._said_no):
            log.info("not updated from afar", model=name, why=f"models.{name}.path names where it is")
        self._said_no = fixed

    # Who asks

    def _look(self, name: str | None, then: Callable[[EdgedError | None], None], reply: Reply) -> None:
        thread = self._thread
        if thread is None:
            reply({"ok": False, "error": OFF})
        elif not thread.ask(name, then):
            reply({"ok": False, "error": BUSY})

    def _answer_all(self, reply: Reply, error: EdgedError | None) -> None:
        if error:
            reply({"ok": False, "error": redacted(str(error))})
        else:
            reply({"ok": True, "models": {name: self._words(name) for name in self._pins()}})

    def _then_look(self, name: str, reply: Reply, here: Mapping[str, Any]) -> None:
        """The store was looked at; now look beyond."""
        self._look(name, partial(self._answer_one, name, reply, here), reply)

    def _answer_one(self, name: str, reply: Reply, here: Mapping[str, Any], error: EdgedError | None) -> None:
        """What the store has, and what is offered."""
        if error:
            reply({**here, "ok": False, "error": redacted(str(error))})
            return
        update = self._words(name)
        if not here.get("ok") and update.get("state") in {"offered", "downloading"}:
            here = {"ok": True, "model": name}  # nothing serves yet, and that is about to change
        reply({**here, "update": update})

    def _words(self, name: str) -> dict[str, Any]:
        from edged.service.update_words import answer_of  # noqa: PLC0415  # likewise

        model, progress = self._models().get(name), self._known.get(name)
        return answer_of(model.state(""), progress) if model else {}


def _is_updated(model: ServedModel) -> bool:
    """One that is configured to lie elsewhere belongs to who put it there."""
    return model.section.path is None
