"""The models at work: each from its section, loaded beside what serves, and told when the store changes."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from edged.lifecycle import Demand, ServedModel
from edged.service.demands import uses
from edged.service.endings import in_parallel, join
from edged.service.lasting import Lasting
from edged.service.model_load import work_of
from edged.settings import Settings
from edged.worker.starting import end_ahead

if TYPE_CHECKING:
    from edged.modelstore.watching import StoreWatcher

TICK_S = 0.5
"""Between two looks at whether to go on waiting."""


class Models:
    """All that cameras and sensors use. Owned by the main thread; others may read `served`, replaced and never changed.

    Attributes:
        served: By name; one that could not be loaded is there too, with its error.
        totals: By name: what those of this name did since the start (`work_of`).
    """

    def __init__(
        self, *, once: bool, on_change: Callable[[ServedModel], None], checkpoint: Callable[[], None]
    ) -> None:
        """None is at work yet.

        Args:
            once: The first version that can be served is served to the end.
            on_change: Called when the state of a model has changed, from its thread.
            checkpoint: Called every half a second of waiting; what it raises ends the waiting.
        """
        self._once, self._on_change, self._checkpoint = once, on_change, checkpoint
        self.served: dict[str, ServedModel] = {}
        self.totals: dict[str, Lasting] = {}
        self._watcher: StoreWatcher | None = None

    def start(self, settings: Settings, *, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Load what is used; whether any of it is served then.

        Args:
            settings: What is wanted.
            meanwhile: Called while it is loaded.
        """
        used = uses(settings)
        self.served = {
            name: self._model(settings, name, used[name]) for name in settings.models if name in used
        }
        self._count(self.served.values())
        meanwhile()
        try:
            return any(self._await(self.served.values()))
        finally:
            end_ahead()

    def load(self, old: Settings, new: Settings) -> dict[str, ServedModel]:
        """Models that are new, changed or were refused, loaded and warm; the old ones serve on meanwhile.

        Returns:
            By name, for `swap`.

        Raises:
            EdgedError: One of them will not serve; all of them were ended.
        """
        used = uses(new)

        def differs(name: str) -> bool:
            model = self.served.get(name)
            return model is None or not model.suits(new.models[name], used[name]) or old.store != new.store

        fresh = {
            name: self._model(new, name, used[name]) for name in new.models if name in used and differs(name)
        }
        try:
            if all(self._await(fresh.values())):
                return fresh
        except BaseException:
            _give_up(fresh.values())
            raise
        _give_up(fresh.values())
        raise next(model.error for model in fresh.values() if model.error)

    def swap(self, new: Settings, fresh: dict[str, ServedModel]) -> list[ServedModel]:
        """Have what was loaded take its place.

        Returns:
            What is not used any more, to be stopped when the cameras have left it.
        """
        used = uses(new)
        retired = [model for name, model in self.served.items() if name in fresh or name not in used]
        self.served = {name: fresh.get(name) or self.served[name] for name in new.models if name in used}
        for name, model in self.served.items():
            model.want(used[name])
        self._count(self.served[name] for name in fresh)
        return retired

    def watch(self) -> None:
        """Have the models know when something changes in the store, or may have."""
        before, self._watcher = self._watcher, None
        if before:
            before.stop()
        if self._once:
            return
        from edged.modelstore.watching import StoreWatcher  # noqa: PLC0415  # once all is at work

        folders = dict.fromkeys(folder for model in self.served.values() for folder in model.watched)
        self._watcher = StoreWatcher(list(folders), on_change=self._store_changed)
        self._watcher.start()

    def halt(self) -> None:
        """Begin nothing any more: no trial, no look at the store."""
        for model in self.served.values():
            model.halt()
        if self._watcher:
            self._watcher.stop(0.5)

    def _count(self, models: Iterable[ServedModel]) -> None:
        """Count what they do, too; forget what is not used any more."""
        totals = {name: self.totals.get(name) or Lasting() for name in self.served}
        for model in models:
            totals[model.name].add(partial(work_of, model), partial(getattr, model, "ended"))
        self.totals = totals

    def _store_changed(self) -> None:
        for model in list(self.served.values()):
            model.look()

    def _await(self, models: Iterable[ServedModel]) -> list[bool]:
        """Wait until each model serves, or will not, and say which do."""
        served = []
        for model in models:
            while not model.settled(TICK_S):
                self._checkpoint()
            served.append(model.wait_ready())
        self._checkpoint()
        return served

    def _model(self, settings: Settings, name: str, demand: Demand) -> ServedModel:
        section, store = settings.models[name], settings.store.path
        return ServedModel(
            name,
            section,
            store=store,
            demand=demand,
            on_change=self._on_change,
            keep_versions=settings.store.keep_versions,
            once=self._once,
            awaited=bool(settings.updates.url) and section.path is None and not self._once,
        )


def _give_up(fresh: Iterable[ServedModel]) -> None:
    """End models that never came to serve."""
    join(in_parallel([partial(model.stop, 0.8) for model in fresh], "stop-model"), time.monotonic() + 2)
