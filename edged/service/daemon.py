"""The daemon from start to end.

    cameras ─→ pipelines (a model each) ─→ publisher ─→ outbox ─→ link ─→ broker

The main thread waits for signals and for the end of ``--once``; everything else has a thread of its own.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from edged.errors import BrokerUnreachable, ConfigurationError, EdgedError, NotAllowed
from edged.lifecycle import ServedModel
from edged.modelstore.watching import StoreWatcher
from edged.mqtt.commands import Command
from edged.mqtt.link import Link, LinkOptions, LinkState
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.publisher import Publisher, Sender
from edged.service.broker import link_options
from edged.service.endings import in_parallel, join
from edged.service.orders import Orders
from edged.service.posts import CameraPost
from edged.service.report import Health, info
from edged.service.signals import Signals
from edged.settings import LoadedSettings, Settings
from edged.sources.camera import Camera
from edged.web import LocalEndpoint

log = structlog.get_logger()

HEALTH_EVERY_S = 60.0
TICK_S = 0.5
STUCK_S = 30.0
"""A main thread that has not come round for this long does not work."""
STOP_S = 4.0
"""From the first signal to the end, at most; systemd and people expect five seconds."""
DELIVER_S = 30.0
"""With ``--once``: how long the outbox may stand still at the end."""


class _ToldToEndError(Exception):
    """A signal came while something was waited for."""


class _NothingLeftError(Exception):
    """Everything that could be done has failed for good, and was reported."""

    def __init__(self, what: str, errors: Sequence[EdgedError | None]) -> None:
        self.what = what
        self.exit_code = next((error.exit_code for error in errors if error), EdgedError.exit_code)


class Service:
    """Everything, built from the settings. `run` it once."""

    def __init__(
        self,
        loaded: LoadedSettings,
        *,
        once: bool = False,
        reload: Callable[[], LoadedSettings] | None = None,
    ) -> None:
        """Check what can be checked before anything starts.

        Args:
            loaded: The settings.
            once: Read every source once to its end, lose nothing, then end.
            reload: Reads the settings anew on SIGHUP; None = there is no file to read.

        Raises:
            ConfigurationError: No camera, a secret that is not there, a certificate that cannot be used.
        """
        self._loaded, self._once, self._reload = loaded, once, reload
        _require_cameras(loaded)
        for line in loaded.warnings():
            log.warning(line)
        self._models: dict[str, ServedModel] = {}
        self._posts: dict[str, CameraPost] = {}
        self._signals = Signals()
        self._started_at_s, self._tick_s = time.time(), time.monotonic()
        self._health = Health()
        self._orders = Orders(lambda: self._models, self._answer)
        self._watcher: StoreWatcher | None = None
        mqtt = loaded.settings.mqtt
        self._outbox = MemoryOutbox(int(mqtt.spool_max_bytes), mqtt.spool_max_age)
        self._link = self._make_link(loaded)
        self._publisher = Publisher(_sender(loaded.settings), self._outbox)

    @property
    def _settings(self) -> Settings:
        return self._loaded.settings

    @property
    def _topics(self) -> Topics:
        return _topics(self._settings)

    def run(self) -> int:
        """Serve until a signal, or with ``once`` until all is delivered.

        Returns:
            The exit code.
        """
        with self._signals.caught(), self._endpoint():
            self._link.start()
            try:
                self._start()
                return self._run_once() if self._once else self._run_until_signal()
            except _ToldToEndError:
                return 0
            except _NothingLeftError as end:
                log.error("nothing is left to do", what=end.what)
                return end.exit_code
            except EdgedError as error:
                log.error("cannot go on", error=str(error))
                return error.exit_code
            finally:
                self._stop()

    # What is built

    def _make_link(self, loaded: LoadedSettings) -> Link:
        settings = loaded.settings
        return Link(
            _link_options(loaded),
            topics=_topics(settings),
            outbox=self._outbox,
            on_change=self._link_changed,
            on_command=None if self._once else self._orders.take,
        )

    def _answer(self, command: Command, answer: Mapping[str, Any]) -> None:
        self._link.answer(command, answer)  # whichever link there is by then

    def _link_changed(self, state: LinkState) -> None:
        if state.why:
            self._health.remember(f"broker: {state.why}")

    @contextlib.contextmanager
    def _endpoint(self) -> Iterator[None]:
        listen = self._settings.http.listen
        endpoint: LocalEndpoint | None = None
        try:
            endpoint = LocalEndpoint(listen, healthy=self._unhealthy, ready=self._unready) if listen else None
        except ConfigurationError as error:
            if "http.listen" in self._loaded.origin:
                raise
            log.warning("no local endpoint", reason=str(error))  # the default port is an offer, not a wish
        with endpoint or contextlib.nullcontext():
            yield

    def _start(self) -> None:
        used = _uses(self._settings)
        self._models = {
            name: self._model(self._settings, name, used[name])
            for name in self._settings.models
            if used[name]
        }
        if not any(self._await(self._models.values())):
            raise _NothingLeftError(
                "no model can be served", [model.error for model in self._models.values()]
            )
        for name in self._settings.cameras:
            self._start_camera(name)
        self._publish_info()
        self._watch_store()

    def _watch_store(self) -> None:
        """Have the models know when something changes in the store, or may have."""
        before, self._watcher = self._watcher, None
        if before:
            before.stop()
        if self._once:
            return
        folders = dict.fromkeys(folder for model in self._models.values() for folder in model.watched)
        self._watcher = StoreWatcher(list(folders), on_change=self._store_changed)
        self._watcher.start()

    def _store_changed(self) -> None:
        for model in list(self._models.values()):
            model.look()

    def _await(self, models: Iterable[ServedModel]) -> list[bool]:
        """Wait until each model serves, or will not, and say which do; a signal to end is heard meanwhile."""
        served = []
        for model in models:
            while not model.settled(TICK_S):
                self._tick_s = time.monotonic()
                if self._signals.ending:
                    raise _ToldToEndError
            served.append(model.wait_ready())
        if self._signals.ending:
            raise _ToldToEndError
        return served

    def _model(self, settings: Settings, name: str, feeds: int) -> ServedModel:
        section, store = settings.models[name], settings.store.path
        return ServedModel(
            name,
            section,
            store=store,
            feeds=feeds,
            on_change=self._publish_model,
            keep_versions=settings.store.keep_versions,
            once=self._once,
        )

    def _start_camera(self, name: str) -> None:
        post = CameraPost(
            name,
            self._settings.cameras[name],
            once=self._once,
            publisher=self._publisher,
            on_state=self._publish_camera,
        )
        self._posts[name] = post
        post.connect(self._models)
        self._publish_camera(post)
        post.camera.start()

    # What is said

    def _publish_info(self) -> None:
        message = info(
            self._settings.device, list(self._posts), list(self._models.values()), self._started_at_s
        )
        self._link.set_state(self._topics.info, message.payload())

    def _publish_model(self, model: ServedModel) -> None:
        if model.error:
            self._health.remember(str(model.error))
        self._link.set_state(
            self._topics.model_state(model.name), model.state(self._settings.device).payload()
        )
        if self._posts:
            self._publish_info()  # what really runs a model may have changed with its process

    def _publish_camera(self, post: CameraPost) -> None:
        self._link.set_state(
            self._topics.camera_state(post.name), post.state(self._settings.device).payload()
        )

    def _publish_health(self) -> None:
        message = self._health.report(
            self._settings.device, list(self._posts.values()), list(self._models.values()), self._outbox
        )
        self._link.publish(self._topics.health, message.payload())

    def _unhealthy(self) -> list[str]:
        late_s = time.monotonic() - self._tick_s
        return [f"the main thread has not come round for {late_s:.0f} s"] if late_s > STUCK_S else []

    def _unready(self) -> list[str]:
        reasons = [
            f"model {name}: {model.error or 'loading'}"
            for name, model in list(self._models.items())
            if not model.pipeline
        ]
        if not self._models:
            reasons.append("starting")
        if not self._link.connected_once:
            reasons.append("the broker was not reached yet")
        return reasons

    # Running

    def _told_to_end(self) -> bool:
        """Wait a moment for a signal; a reload is done here."""
        self._tick_s = time.monotonic()
        if self._signals.reload_asked(TICK_S):
            self._handle_reload()
        for post in self._posts.values():
            if post.misses(self._models):
                post.connect(self._models)
        return self._signals.ending

    def _run_until_signal(self) -> int:
        next_health_s = time.monotonic() + HEALTH_EVERY_S
        while not self._told_to_end():
            if self._tick_s >= next_health_s:
                self._publish_health()
                next_health_s = self._tick_s + HEALTH_EVERY_S
            self._end_if_nothing_is_left()
        return 0

    def _end_if_nothing_is_left(self) -> None:
        """A daemon whose every camera is a file that is not there or not readable has nothing to wait for."""
        hopeless = [camera.error for camera in self._cameras() if camera.error]
        if len(hopeless) == len(self._posts):
            raise _NothingLeftError("no camera can be read", hopeless)

    def _run_once(self) -> int:
        while not all(camera.finished.is_set() for camera in self._cameras()):
            if self._told_to_end():
                return 0
        pipelines = [model.pipeline for model in self._models.values() if model.pipeline]
        while not all(pipeline.wait_idle(0) for pipeline in pipelines):
            if self._told_to_end():
                return 0
        self._deliver_all()
        failed = [camera.error for camera in self._cameras() if camera.error]
        failed += [model.error for model in self._models.values() if model.error]
        return failed[0].exit_code if failed else 0

    def _cameras(self) -> list[Camera]:
        return [post.camera for post in self._posts.values()]

    def _deliver_all(self) -> None:
        deadline_s, left = time.monotonic() + DELIVER_S, len(self._outbox)
        while not self._link.drain(TICK_S):
            if self._told_to_end():
                return
            if self._link.state.refused:
                raise NotAllowed(
                    "broker", f"{len(self._outbox)} results were not delivered", self._link.state.why
                )
            if len(self._outbox) < left:
                deadline_s, left = time.monotonic() + DELIVER_S, len(self._outbox)
            if time.monotonic() > deadline_s:
                raise BrokerUnreachable("broker", f"{left} results were not delivered", self._link.state.why)

    # Reloading

    def _handle_reload(self) -> None:
        if self._reload is None:
            log.warning("nothing to reload", reason="started without a configuration file")
            return
        try:
            changed = self._apply(self._reload())
        except _ToldToEndError:
            log.warning("reload given up", reason="told to end")
            return
        except EdgedError as error:
            self._health.remember(str(error))
            log.error("reload refused, everything goes on as before", error=str(error))
            return
        log.info("reloaded", changed=", ".join(changed) or "nothing")

    def _apply(self, loaded: LoadedSettings) -> list[str]:
        """Put new settings in force, touching only what differs.

        Returns:
            The sections that changed.

        Raises:
            EdgedError: They cannot be put in force; nothing was touched.
        """
        _require_cameras(loaded)
        old, new = self._settings, loaded.settings
        _link_options(loaded)  # wrong ones are found before anything is touched
        fresh = self._fresh_models(old, new)
        for line in loaded.warnings():
            log.warning(line)
        if old.http != new.http:
            log.warning("http.listen takes effect at the next start")
        changed = []
        if (old.mqtt, old.device) != (new.mqtt, new.device):
            self._replace_link(loaded)
            changed.append("mqtt")
        self._loaded = loaded
        changed += self._swap(old, new, fresh)
        for model in self._models.values():
            self._publish_model(model)
        for post in self._posts.values():
            self._publish_camera(post)
        self._publish_info()
        return changed

    def _replace_link(self, loaded: LoadedSettings) -> None:
        """Say goodbye under the old names, forget what stands there, and go on under the new ones."""
        old, before = self._settings, self._link
        mqtt = loaded.settings.mqtt
        self._outbox.rebound(int(mqtt.spool_max_bytes), mqtt.spool_max_age)
        self._publisher.redirect(_sender(loaded.settings))
        if (_topics(old), old.mqtt.url) != (_topics(loaded.settings), mqtt.url):
            topics = _topics(old)
            for topic in (
                topics.info,
                *map(topics.camera_state, self._posts),
                *map(topics.model_state, self._models),
            ):
                before.clear_state(topic)
        link = self._make_link(loaded)
        before.stop(2.0)
        self._loaded, self._link = loaded, link
        link.start()

    def _fresh_models(self, old: Settings, new: Settings) -> dict[str, ServedModel]:
        """Models that are new, changed or were refused, loaded and warm; the old ones serve on meanwhile."""
        used = _uses(new)

        def differs(name: str) -> bool:
            model = self._models.get(name)
            return model is None or not model.suits(new.models[name], used[name]) or old.store != new.store

        fresh = {
            name: self._model(new, name, used[name]) for name in new.models if used[name] and differs(name)
        }
        try:
            if all(self._await(fresh.values())):
                return fresh
        except _ToldToEndError:
            self._give_up(fresh)
            raise
        self._give_up(fresh)
        raise next(model.error for model in fresh.values() if model.error)

    def _give_up(self, fresh: dict[str, ServedModel]) -> None:
        """End models that never came to serve, and let their names say again what they said before."""
        join(
            in_parallel([partial(model.stop, 0.8) for model in fresh.values()], "stop-model"),
            time.monotonic() + 2,
        )
        for name in fresh:
            if name in self._models:
                self._publish_model(self._models[name])
            else:
                self._link.clear_state(self._topics.model_state(name))

    def _swap(self, old: Settings, new: Settings, fresh: dict[str, ServedModel]) -> list[str]:
        used = _uses(new)
        retired = [model for name, model in self._models.items() if name in fresh or not used[name]]
        self._models = {name: fresh.get(name) or self._models[name] for name in new.models if used[name]}
        changed = [f"models.{name}" for name in dict.fromkeys([*fresh, *(model.name for model in retired)])]
        gone = [name for name in self._posts if new.cameras.get(name) != old.cameras.get(name)]
        changed += [f"cameras.{name}" for name in gone]
        self._end_cameras([self._posts.pop(name) for name in gone])
        for name in gone:
            if name not in new.cameras:
                self._link.clear_state(self._topics.camera_state(name))
        for name, section in new.cameras.items():
            if name not in self._posts:
                changed += [f"cameras.{name}"] if name not in old.cameras else []
                self._start_camera(name)
            elif fresh.keys() & set(section.models):
                self._posts[name].connect(self._models)
        for model in retired:
            model.stop()
            if model.name not in self._models:
                self._link.clear_state(self._topics.model_state(model.name))
        self._watch_store()
        return changed

    @staticmethod
    def _end_cameras(posts: Sequence[CameraPost]) -> None:
        for post in posts:
            post.disconnect()
        stopping = in_parallel([partial(post.camera.stop, 2.0) for post in posts], "stop-camera")
        join(stopping, time.monotonic() + 2.2)

    # Ending

    def _stop(self) -> None:
        """Cameras, then models, then the link: what was made is delivered before the last word is said."""
        deadline_s = time.monotonic() + STOP_S
        for model in self._models.values():
            model.halt()
        if self._watcher:
            self._watcher.stop(0.5)
        for post in self._posts.values():
            post.disconnect()
        cameras = in_parallel(
            [partial(post.camera.stop, 1.0) for post in self._posts.values()], "stop-camera"
        )
        pipelines = [model.pipeline for model in self._models.values() if model.pipeline]
        callers = in_parallel([partial(pipeline.stop, 1.5) for pipeline in pipelines], "stop-pipeline")
        join([*callers, *cameras], time.monotonic() + 1.7)
        self._link.stop(max(0.5, deadline_s - time.monotonic() - 1.0))
        if left := len(self._outbox):
            log.warning("results were not delivered and are lost", results=left, why=self._link.state.why)
        join(
            in_parallel([partial(model.stop, 0.8) for model in self._models.values()], "stop-model"),
            deadline_s,
        )


def _require_cameras(loaded: LoadedSettings) -> None:
    if not loaded.settings.cameras:
        raise ConfigurationError(
            str(loaded.path or "configuration"), "names no camera", "add a section [cameras.NAME]"
        )


def _uses(settings: Settings) -> Counter[str]:
    """How many cameras use each model."""
    return Counter(name for camera in settings.cameras.values() for name in dict.fromkeys(camera.models))


def _link_options(loaded: LoadedSettings) -> LinkOptions:
    settings, folder = loaded.settings, loaded.path.parent if loaded.path else Path()
    return link_options(settings.mqtt, device=settings.device, folder=folder)


def _topics(settings: Settings) -> Topics:
    return Topics(settings.mqtt.base_topic, settings.device)


def _sender(settings: Settings) -> Sender:
    return Sender(_topics(settings), settings.mqtt.qos)
