"""The daemon from start to end.

    cameras, sensors ─→ pipelines (a model each) ─→ publishers ─→ outbox ─→ link ─→ broker

The main thread waits for signals and for the end of ``--once``; everything else has a thread of its own.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from edged.allocator import give_memory_back
from edged.errors import BrokerUnreachable, ConfigurationError, EdgedError, NotAllowed
from edged.lifecycle import ServedModel
from edged.mqtt.commands import Command
from edged.mqtt.homeassistant import BIRTH_TOPIC
from edged.mqtt.link import Link, LinkOptions
from edged.publisher import Publisher, Sender
from edged.sections import CameraSettings
from edged.service.addresses import require_addresses, require_root
from edged.service.broker import link_options, topics_of
from edged.service.camera_orders import CameraOrders
from edged.service.cameras import Cameras
from edged.service.counting import Counts
from edged.service.demands import uses
from edged.service.device import Device, deeds_of
from edged.service.endings import in_parallel, join
from edged.service.eventing import Eventing
from edged.service.lasting import Lasting
from edged.service.models import Models
from edged.service.orders import STOPPING, Orders
from edged.service.overrides import Overrides
from edged.service.oversight import Oversight
from edged.service.picturing import Picturing
from edged.service.reloading import Changes, Reloads, changes
from edged.service.sensors import Sensors
from edged.service.signals import Signals
from edged.service.spooling import outbox_of
from edged.service.state import state_folder
from edged.service.states import StatePublisher
from edged.service.unknown_labels import LabelWatch
from edged.service.updates import Updates
from edged.settings import LoadedSettings, Settings
from edged.urls import keep_secret, redacted

if TYPE_CHECKING:
    from edged.publisher import RowPublisher
    from edged.service.figures import Figures

log = structlog.get_logger()

HEALTH_EVERY_S = 60.0
TICK_S = 0.5
STOP_S = 4.0
"""From the first signal to the end, at most; systemd and people expect five seconds."""
NO_FILE = "reload: edged was started without a configuration file; start it with -c FILE"
FLUSH_S = 0.5
"""How long ends of events may take to be written down."""
PICTURES_S = 0.3
"""How long the last pictures may take."""
DELIVER_S = 30.0
"""With ``--once``: how long the outbox may stand still at the end."""
GATHER_S = 0.1
"""With ``--once``: results go to the broker together, as nobody waits for news."""


class _ToldToEndError(Exception):
    """A signal came while something was waited for."""


class _NothingLeftError(Exception):
    """Everything that could be done has failed for good, and was reported."""

    def __init__(self, what: str, errors: Sequence[EdgedError | None]) -> None:
        self.what = what
        self.exit_code = next((error.exit_code for error in errors if error), EdgedError.exit_code)


class Service:
    """Everything, built from the settings. `run` it once."""

    _models: Models
    _cameras: Cameras
    _sensors: Sensors
    _link: Link

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
            ConfigurationError: No camera and no sensor, a secret that is not there, a certificate that cannot be used.
        """
        self._loaded, self._once, self._reload = loaded, once, reload
        _require_sources(loaded, once=once)
        for line in loaded.warnings():
            log.warning(line)
        _keep_secrets(loaded.settings)
        self._signals = Signals()
        folder = None if once else state_folder(loaded)
        self._oversight = Oversight(folder, remember=self._remember)
        self._outbox = outbox_of(loaded, lambda: topics_of(self._settings), once=once)
        counts = Counts()
        self._publisher = Publisher(_sender(loaded.settings), self._outbox)
        self._links = Lasting()
        self._updates = Updates(
            settings=lambda: self._settings,
            models=lambda: self._models.served,
            state=folder,
            on_change=self._updated,
            remember=self._remember,
        )
        self._device = Device(
            settings=lambda: self._settings,
            link=lambda: self._link,
            cameras=lambda: self._cameras,
            sensors=lambda: self._sensors,
            models=lambda: self._models.served,
            model_totals=lambda: self._models.totals,
            links=self._links,
            started_at_s=time.time(),
            previous_end=self._oversight.previous_end,
            update=self._updates.known,
            update_totals=lambda: self._updates.totals if self._updates.wanted else None,
            pictures=lambda: self._pictures.made,
        )
        self._states = StatePublisher(self._device, self._outbox, counts, folder)
        self._pictures = Picturing(
            self._section,
            lambda: self._models.served,
            show=self._states.snapshot,
            keep=self._states.keep_picture,
        )
        self._events = Eventing(
            _sender(loaded.settings),
            self._outbox,
            folder,
            counts,
            on_counted=self._states.counted,
            on_gone=self._states.not_counted,
            watch=self._pictures.watch,
            looked=self._pictures.looked,
        )
        self._models = Models(once=once, on_change=self._states.model, checkpoint=self._checkpoint)
        self._cameras = Cameras(
            once=once,
            models=lambda: self._models.served,
            publisher=self._publisher,
            outlets=self._events.outlets,
            overrides=Overrides(folder) if folder else None,
            on_state=self._states.camera,
        )
        self._sensors = Sensors(
            once=once,
            configured=lambda: self._settings.sensors,
            models=lambda: self._models.served,
            publisher=lambda: self._row_publisher,
            state=folder,
            broker=lambda: (_link_options(self._loaded), topics_of(self._settings)),
            on_state=self._states.sensor,
        )
        self._labels = LabelWatch()
        self._reloads = Reloads()
        self._orders = self._make_orders()
        self._link = self._make_link(loaded)

    @property
    def _settings(self) -> Settings:
        return self._loaded.settings

    def run(self) -> int:
        """Serve until a signal, or with ``once`` until all is delivered.

        Returns:
            The exit code.
        """
        with self._oversight:
            code, why = self._serve()
            self._oversight.ended(code, why)
            return code

    def _serve(self) -> tuple[int, str]:
        """The whole run; its exit code, and why where that is not 0."""
        with self._signals.caught(), self._endpoint():
            self._outbox.start()
            self._link.start()
            self._orders.start()
            try:
                self._start()
                self._oversight.serves()
                return (self._run_once() if self._once else self._run_until_signal()), ""
            except _ToldToEndError:
                return 0, ""
            except _NothingLeftError as end:
                log.error("nothing is left to do", what=end.what)
                return end.exit_code, end.what
            except EdgedError as error:
                log.error("cannot go on", error=str(error))
                return error.exit_code, str(error)
            finally:
                self._oversight.ends(self._signals.told_by)
                self._stop()

    # What is built

    def _make_link(self, loaded: LoadedSettings) -> Link:
        settings = loaded.settings
        listeners = {}
        if settings.mqtt.homeassistant and self._states.homeassistant:
            listeners[BIRTH_TOPIC] = self._states.homeassistant.hear
        options = _link_options(loaded)
        link = Link(
            replace(options, gather_s=GATHER_S) if self._once else options,
            topics=topics_of(settings),
            outbox=self._outbox,
            on_change=self._states.link_changed,
            on_command=None if self._once else self._orders.take,
            listeners=listeners,
        )
        self._links.add(partial(deeds_of, link), lambda: link.ended)
        return link

    def _make_orders(self) -> Orders:
        cameras = CameraOrders(self._cameras, lambda: self._pictures.wanted, self._states.snapshot)
        return Orders(
            self._answer,
            models=lambda: self._models.served,
            cameras=lambda: self._settings.cameras,
            actions={
                "camera/enable": cameras.enable,
                "camera/min_score": cameras.choose,
                "camera/snapshot": cameras.snapshot,
            },
            reload=self._reloads.ask,
            update=self._updates.ask,
        )

    def _section(self, camera: str) -> CameraSettings | None:
        return self._cameras.section(camera)

    def _remember(self, error: str) -> None:
        self._states.remember(error)

    def _updated(self, model: ServedModel) -> None:
        self._states.update(model)

    def _alarmed(self, sensor: str, model: str, origin: str, up: bool) -> None:
        self._sensors.alarmed(sensor, model, origin, up=up)

    def _answer(self, command: Command, answer: Mapping[str, Any]) -> None:
        self._link.answer(command, answer)  # whichever link there is by then

    @contextlib.contextmanager
    def _endpoint(self) -> Iterator[None]:
        listen = self._settings.http.listen
        endpoint: contextlib.AbstractContextManager[object] | None = None
        try:
            if listen:
                from edged.web import LocalEndpoint  # noqa: PLC0415

                endpoint = LocalEndpoint(
                    listen,
                    healthy=self._unhealthy,
                    ready=self._unready,
                    post=self._sensors.post,
                    metrics=self._metrics,
                    status=self._status,
                )
        except ConfigurationError as error:
            posted_to = any(section.url == "http:" for section in self._settings.sensors.values())
            if posted_to or "http.listen" in self._loaded.origin:
                raise
            log.warning("no local endpoint", reason=str(error))  # the default port is an offer, not a wish
        with endpoint or contextlib.nullcontext():
            yield

    @cached_property
    def _row_publisher(self) -> "RowPublisher":
        from edged.publisher import RowPublisher  # noqa: PLC0415  # for who has sensors

        return RowPublisher(_sender(self._settings), self._outbox, self._alarmed)

    def _metrics(self, accept: str) -> tuple[str, bytes]:
        from edged.metrics.exposition import rendered  # noqa: PLC0415  # for who asks, as the start has no time

        return rendered(self._figures.all(), accept)

    @cached_property
    def _figures(self) -> "Figures":
        from edged.service.figures import Figures  # noqa: PLC0415  # likewise

        return Figures(
            self._device,
            self._outbox,
            self._states.reports,
            healthy=self._unhealthy,
            ready=self._unready,
            troubles=self._oversight.troubles,
        )

    def _status(self) -> dict[str, Any]:
        from edged.service.status import status  # noqa: PLC0415  # likewise

        return status(
            self._device, self._outbox, self._states.reports, healthy=self._unhealthy, ready=self._unready
        )

    def _start(self) -> None:
        settings = self._settings
        meanwhile = self._cameras.prepare if settings.cameras else lambda: None
        if not self._models.start(settings, meanwhile=meanwhile) and not self._updates.may_bring_any:
            raise _NothingLeftError(
                "no model can be served", [model.error for model in self._models.served.values()]
            )
        self._events.start(settings.cameras)
        self._cameras.forget_all_but(settings.cameras)
        for name, section in settings.cameras.items():
            self._cameras.start(name, section)
        for name, sensor in settings.sensors.items():
            self._sensors.start(name, sensor)
        self._states.everything()
        self._models.watch()
        self._updates.apply()

    def _checkpoint(self) -> None:
        """The main thread is alive, and hears a signal to end also while it waits for models."""
        self._oversight.comes_round()
        if self._signals.ending:
            raise _ToldToEndError

    def _unhealthy(self) -> list[str]:
        return self._oversight.reasons()

    def _unready(self) -> list[str]:
        reasons = [
            f"model {name}: {model.error or 'loading'}"
            for name, model in self._models.served.items()
            if not model.pipeline
        ]
        if not self._models.served:
            reasons.append("starting")
        if not self._link.connected_once:
            reasons.append("the broker was not reached yet")
        return reasons

    # Running

    def _told_to_end(self) -> bool:
        """Wait a moment for a signal; a reload is done here."""
        self._oversight.comes_round()
        self._labels.look(self._settings, self._models.served)
        by_signal = self._signals.reload_asked(TICK_S)
        if self._reloads.take() or by_signal:
            with self._oversight.reload():
                self._handle_reload()
        self._cameras.connect_missing()
        self._sensors.connect_missing()
        now_s = time.monotonic()
        self._cameras.pass_time(now_s)
        self._states.counts()
        self._states.motion(now_s)
        self._states.sensors()
        for post in self._oversight.hanging_anew(self._cameras):
            self._states.camera(post)
        self._oversight.tell(self._cameras, self._sensors, self._models.served.values(), self._link.state)
        return self._signals.ending

    def _run_until_signal(self) -> int:
        next_health_s = time.monotonic() + HEALTH_EVERY_S
        while not self._told_to_end():
            if (now_s := time.monotonic()) >= next_health_s:
                self._states.health()
                give_memory_back()
                next_health_s = now_s + HEALTH_EVERY_S
            self._end_if_nothing_is_left()
        return 0

    def _end_if_nothing_is_left(self) -> None:
        """A daemon whose every source is a file that is not there or not readable has nothing to wait for."""
        hopeless = self._failed_sources()
        if len(hopeless) == len(self._cameras) + len(self._sensors):
            raise _NothingLeftError("no camera or sensor can be read", hopeless)

    def _failed_sources(self) -> list[EdgedError]:
        errors = [post.camera.error for post in self._cameras] + [post.sensor.error for post in self._sensors]
        return [error for error in errors if error]

    def _run_once(self) -> int:
        finished = [post.camera.finished for post in self._cameras]
        finished += [post.sensor.finished for post in self._sensors]
        while not all(source.is_set() for source in finished):
            if self._told_to_end():
                return 0
        models = self._models.served.values()
        pipelines = [model.pipeline for model in models if model.pipeline]
        while not all(pipeline.wait_idle(0) for pipeline in pipelines):
            if self._told_to_end():
                return 0
        self._end_objects()
        self._pictures.close(DELIVER_S)
        self._deliver_all()
        failed = self._failed_sources()
        failed += [model.error for model in models if model.error]
        return failed[0].exit_code if failed else 0

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

    def _end_objects(self) -> None:
        """What was followed has its end, and nothing is there any more: said while it can be delivered."""
        for post in self._sensors:
            self._states.sensor(post)  # with all that was read: it was said up to a minute ago
        self._cameras.end_objects("stopped", for_good=True)
        self._states.counted()
        self._states.still(time.monotonic())
        self._events.flush(FLUSH_S)

    # Reloading

    def _handle_reload(self) -> None:
        """Read the settings anew and put them in force; whoever asked for it by command is told."""
        if self._reload is None:
            log.warning("nothing to reload", reason="started without a configuration file")
            self._reloads.answer({"ok": False, "error": NO_FILE})
            return
        try:
            changed = self._apply(self._reload())
        except _ToldToEndError:
            log.warning("reload given up", reason="told to end")
            self._reloads.answer({"ok": False, "error": STOPPING})
            return
        except EdgedError as error:
            self._states.remember(str(error))
            log.error("reload refused, everything goes on as before", error=str(error))
            self._reloads.answer({"ok": False, "error": redacted(str(error))})
            return
        log.info("reloaded", changed=", ".join(changed) or "nothing")
        self._reloads.answer({"ok": True, "changed": changed})

    def _apply(self, loaded: LoadedSettings) -> list[str]:
        """Put new settings in force, touching only what differs.

        Returns:
            The sections that changed.

        Raises:
            EdgedError: They cannot be put in force; nothing was touched.
        """
        _require_sources(loaded, once=self._once)
        old, new = self._settings, loaded.settings
        _keep_secrets(new)
        _link_options(loaded)  # wrong ones are found before anything is touched
        require_root(loaded)
        fresh = self._load_models(old, new)
        for line in loaded.warnings():
            log.warning(line)
        for key, differs in (("http.listen", old.http != new.http), ("state.path", old.state != new.state)):
            if differs:
                log.warning(f"{key} takes effect at the next start")
        change = changes(
            old,
            new,
            fresh=fresh,
            served=self._models.served,
            used=uses(new),
            cameras=self._cameras.sections,
            sensors=self._sensors.sections,
        )
        if change.link:
            self._replace_link(loaded, change)
        self._loaded = loaded
        self._swap(new, fresh, change)
        self._updates.apply()
        self._states.everything()
        return change.sections

    def _load_models(self, old: Settings, new: Settings) -> dict[str, ServedModel]:
        """What is new or changed, warm; where it is refused, each name says again what it said before."""
        try:
            return self._models.load(old, new)
        except (EdgedError, _ToldToEndError):
            for name in uses(new):
                if name in self._models.served:
                    self._states.model(self._models.served[name])
                else:
                    self._states.take_back_model(name)
            raise

    def _replace_link(self, loaded: LoadedSettings, change: Changes) -> None:
        """Say goodbye under the old names, forget what stands there, and go on under the new ones."""
        old, before = self._settings, self._link
        mqtt = loaded.settings.mqtt
        self._outbox.rebound(int(mqtt.spool_max_bytes), mqtt.spool_max_age)
        if topics_of(old) != topics_of(loaded.settings):
            self._cameras.end_objects("removed")  # where they began; they begin anew under the new names
        self._publisher.redirect(_sender(loaded.settings))
        self._events.redirect(_sender(loaded.settings))
        self._row_publisher.redirect(_sender(loaded.settings))
        # Nothing can fail from here on, and who asked listens where this link speaks, not where the next one will.
        self._reloads.answer({"ok": True, "changed": change.sections})

        def switch() -> None:
            self._loaded, self._link = loaded, self._make_link(loaded)

        moved = (topics_of(old), old.mqtt.url) != (topics_of(loaded.settings), mqtt.url)
        self._states.move(switch, take_back=moved)
        before.stop(2.0)
        self._link.start()

    def _swap(self, new: Settings, fresh: dict[str, ServedModel], change: Changes) -> None:
        """Have models, cameras and sensors take the place of those before."""
        retired = self._models.swap(new, fresh)
        self._cameras.end(change.gone)
        for name in change.gone:
            self._pictures.forget(name)
        self._cameras.forget_all_but(new.cameras)
        self._sensors.end(change.gone_sensors)
        for name in change.gone_sensors:
            if name not in new.sensors:
                self._states.take_back_sensor(name)
        for name in change.gone:
            if name not in new.cameras:
                self._states.take_back_camera(name)
        for name in change.adjusted:
            self._cameras.adjust(name, new.cameras[name])
        at_work = self._cameras.sections
        for name, section in new.cameras.items():
            if name not in at_work:
                self._cameras.start(name, section)
        for name, sensor in new.sensors.items():
            if name not in self._sensors.sections:
                self._sensors.start(name, sensor)
        self._cameras.connect_missing()
        self._sensors.connect_missing()
        for model in retired:
            model.stop()
            if model.name not in self._models.served:
                self._states.take_back_model(model.name)
        self._models.watch()

    # Ending

    def _stop(self) -> None:
        """Cameras and sensors, then models, then the link: what was made is delivered before the last word is said."""
        deadline_s = time.monotonic() + STOP_S
        self._orders.close()
        self._reloads.close(STOPPING)
        self._models.halt()
        self._updates.halt()
        models = list(self._models.served.values())
        cameras = self._cameras.stop(1.0)
        self._sensors.disconnect()
        pipelines = [model.pipeline for model in models if model.pipeline]
        callers = in_parallel([partial(pipeline.stop, 1.5) for pipeline in pipelines], "stop-pipeline")
        join([*callers, *cameras], time.monotonic() + 1.7)
        self._end_objects()
        self._pictures.close(PICTURES_S)
        self._orders.join(0.2)
        self._link.stop(max(0.5, deadline_s - time.monotonic() - 1.0))
        kept = self._outbox.close(1.0)
        self._events.close(0.5)
        join(
            self._sensors.stop(0.5), deadline_s
        )  # once their results are safe: a broker is told so before the goodbye
        self._sensors.close()
        if (left := len(self._outbox)) and kept:
            log.info("results wait on disk for the next start", results=left, why=self._link.state.why)
        elif left:
            log.warning("results were not delivered and are lost", results=left, why=self._link.state.why)
        join(in_parallel([partial(model.stop, 0.8) for model in models], "stop-model"), deadline_s)


def _require_sources(loaded: LoadedSettings, *, once: bool) -> None:
    settings = loaded.settings
    if not settings.cameras and not settings.sensors:
        raise ConfigurationError(
            str(loaded.path or "configuration"),
            "names no camera and no sensor",
            "add a section [cameras.NAME] or [sensors.NAME]",
        )
    require_addresses(loaded, once=once)


def _keep_secrets(settings: Settings) -> None:
    """What stands in addresses is found from now on wherever it is printed."""
    cameras = [camera.url for camera in settings.cameras.values()]
    sensors = [sensor.url for sensor in settings.sensors.values()]
    for url in (settings.mqtt.url, settings.updates.url, *cameras, *sensors):
        if "://" in url:  # otherwise it is a path
            keep_secret(url)


def _link_options(loaded: LoadedSettings) -> LinkOptions:
    settings, folder = loaded.settings, loaded.path.parent if loaded.path else Path()
    return link_options(settings.mqtt, device=settings.device, folder=folder)


def _sender(settings: Settings) -> Sender:
    return Sender(topics_of(settings), settings.mqtt.qos)
