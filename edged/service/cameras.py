"""The cameras at work, and what was switched of them by command.

The main thread starts and ends them, commands switch them from another thread; a lock keeps the two apart.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edged.errors import Unreachable
from edged.event import Reason
from edged.lifecycle import ServedModel
from edged.publisher import Publisher
from edged.sections import CameraSettings
from edged.service.endings import in_parallel, join
from edged.service.frame_totals import FrameTotals
from edged.service.outlets import Outlets
from edged.service.overrides import NOTHING, Overrides
from edged.service.posts import CameraPost
from edged.service.quota import Quota

if TYPE_CHECKING:
    from edged.service.following import Following

END_S = 2.0
"""For a camera to end, while others go on."""

Served = Callable[[], Mapping[str, ServedModel]]


class Cameras:
    """All of them, in the order of the configuration. Iterating gives those that are there now."""

    def __init__(
        self,
        *,
        once: bool,
        models: Served,
        publisher: Publisher,
        outlets: Outlets,
        overrides: Overrides | None,
        on_state: Callable[[CameraPost], None],
    ) -> None:
        """None is at work yet.

        Args:
            once: Each is read to its end.
            models: Those that are there now.
            publisher: Takes the results.
            outlets: Take events and counts.
            overrides: What was switched by command; None = nothing is, and cannot be.
            on_state: Called when the state of a camera has changed, from any thread.
        """
        self._once, self._models, self._publisher, self._outlets = once, models, publisher, outlets
        self._overrides, self._on_state = overrides, on_state
        self._lock = threading.Lock()  # around `_overrides`, and changes of `_posts`
        self._posts: dict[str, CameraPost] = {}
        self._frames: dict[str, FrameTotals] = {}  # a post may be replaced by another of its name
        self._quotas: dict[str, Quota] = {}  # likewise
        self._following: dict[str, dict[str, Following]] = {}  # likewise
        self._urls: dict[str, tuple[str, bool | None]] = {}

    def __iter__(self) -> Iterator[CameraPost]:
        return iter(list(self._posts.values()))

    def __contains__(self, post: object) -> bool:
        """Whether this very camera is at work."""
        return any(post is one for one in self)

    def __len__(self) -> int:
        return len(self._posts)

    @property
    def sections(self) -> dict[str, CameraSettings]:
        """By name: what each was configured as when it was started."""
        return {post.name: post.section for post in self}

    @staticmethod
    def prepare() -> None:
        """Load what `start` needs and a daemon without cameras does not; best while models are loaded."""
        import edged.service.following  # noqa: F401, PLC0415

    def section(self, name: str) -> CameraSettings | None:
        """Of one at work, as it is in force; None = it is not at work."""
        post = self._posts.get(name)
        return post.section if post else None

    def find(self, name: str) -> CameraPost:
        """The camera of a name.

        Raises:
            Unreachable: It is not at work yet, or not any more.
        """
        post = self._posts.get(name)
        if post is None:
            raise Unreachable(f"cameras.{name}", "is just being started", "try again in a moment")
        return post

    def start(self, name: str, section: CameraSettings) -> None:
        """Put a camera to work."""
        self._quotas.setdefault(name, Quota()).under(section.max_rate)
        following = self._followed(name, section)
        with self._lock:
            post = CameraPost(
                name,
                section,
                once=self._once,
                publisher=self._publisher,
                on_state=self._on_state,
                following=following,
                override=self._overrides.of(name) if self._overrides else NOTHING,
                frames=self._frames.setdefault(name, FrameTotals(name)),
                quota=self._quotas[name],
            )
            self._posts[name] = post
        post.connect(self._models())
        self._on_state(post)
        post.camera.start()

    def adjust(self, name: str, section: CameraSettings) -> None:
        """Put another section of a camera at work in force, without another connection."""
        self.find(name).adjust(section)
        self._quotas[name].under(section.max_rate)
        self._outlets.placed(name, section)

    def pass_time(self, now_s: float) -> None:
        """See to objects that no frame tells of; called now and then.

        Args:
            now_s: On the monotonic clock.
        """
        for post in self:
            post.pass_time(now_s)

    def end_objects(self, reason: Reason, *, for_good: bool = False) -> None:
        """Every event of any camera has its end.

        Args:
            reason: Of the ends.
            for_good: Nothing is followed any more, whatever is in work.
        """
        for models in list(self._following.values()):
            for one in list(models.values()):
                if for_good:
                    one.close(reason)
                else:
                    one.end(reason)

    def end(self, names: Iterable[str]) -> None:
        """End cameras, all at once, within two seconds or so; frames in work are still published."""
        with self._lock:
            posts = [self._posts.pop(name) for name in names]
        join(_stopping(posts, END_S), time.monotonic() + END_S + 0.2)

    def switch(self, name: str, change: Mapping[str, Any]) -> tuple[CameraPost, str]:
        """Switch something of a camera, from now on and after a restart.

        Args:
            name: Of one at work.
            change: Attributes of `CameraOverride` and their new values; the others stay.

        Returns:
            The camera, and why this will not survive a restart; empty if it will.

        Raises:
            Unreachable: It is not at work.
        """
        with self._lock:
            post = self.find(name)
            override = post.override.model_copy(update=change)
            problem = self._overrides.put(name, override) if self._overrides else "nothing is kept"
            post.switch(override)
        self._on_state(post)
        return post, problem

    def floors(self, post: CameraPost) -> dict[str, float]:
        """The score below which each of a camera's models keeps nothing itself, of those that are served."""
        served = {name: self._models().get(name) for name in post.section.models}
        descriptions = {name: model.description for name, model in served.items() if model}
        return {name: found.min_score for name, found in descriptions.items() if found}

    def forget_all_but(self, names: Collection[str]) -> None:
        """Forget what was switched and counted of cameras that are not configured any more."""
        with self._lock:
            self._frames = {name: known for name, known in self._frames.items() if name in names}
            self._quotas = {name: known for name, known in self._quotas.items() if name in names}
            if self._overrides:
                self._overrides.forget_all_but(names)
        for name in [name for name in self._following if name not in names]:
            self._urls.pop(name, None)
            for one in self._following.pop(name).values():
                one.close("removed")

    def connect_missing(self) -> None:
        """Connect cameras whose model is served only since they were."""
        for post in self:
            if post.misses(self._models()):
                post.connect(self._models())

    def stop(self, timeout_s: float) -> list[threading.Thread]:
        """Begin to end them all; `join` the threads."""
        return _stopping(list(self), timeout_s)

    def _followed(self, name: str, section: CameraSettings) -> "dict[str, Following]":
        """What follows objects of a camera, by model; what followed them before goes on, where that is the same."""
        from edged.service.following import Following  # noqa: PLC0415  # see `prepare`

        known, source = self._following.get(name, {}), (section.url, section.realtime)
        other = self._urls.get(name, source) != source
        self._urls[name] = source
        following = {}
        for model in dict.fromkeys(section.models):
            one = known.get(model) or Following(
                name, model, section, self._outlets, may_tell=self._quotas[name].update
            )
            if other:
                one.end("removed")
            one.under(section)
            following[model] = one
        for model, one in known.items():
            if model not in following:
                one.close("removed")
        self._following[name] = following
        self._outlets.placed(name, section)
        return following


def _stopping(posts: list[CameraPost], timeout_s: float) -> list[threading.Thread]:
    for post in posts:
        post.disconnect()
    return in_parallel([partial(post.camera.stop, timeout_s) for post in posts], "stop-camera")
