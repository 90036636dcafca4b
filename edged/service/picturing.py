"""`Pictures` for who has them: made when the first is wanted, as a daemon without any starts without what they take."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from edged.sections import CameraSettings

if TYPE_CHECKING:
    from edged.detection import Detections
    from edged.events import BookUpdate
    from edged.frame import Frame
    from edged.lifecycle import ServedModel
    from edged.pipeline import Result
    from edged.service.pictures import Pictures
    from edged.tracking import Tracks


class Picturing:
    """Of all cameras. Any thread may call."""

    def __init__(
        self,
        section: Callable[[str], CameraSettings | None],
        models: Callable[[], "Mapping[str, ServedModel]"],
        *,
        show: Callable[[str, bytes], None],
        keep: Callable[[str, str, bytes, CameraSettings], None],
    ) -> None:
        """Nothing is wanted yet; arguments as of `Pictures`."""
        self._section, self._models, self._show, self._keep = section, models, show, keep
        self._lock = threading.Lock()
        self._pictures: Pictures | None = None
        self._closed = False

    @property
    def made(self) -> "Pictures | None":
        """Those that there are; None = none was wanted yet."""
        return self._pictures

    @property
    def wanted(self) -> "Pictures":
        """The same, made where there are none yet."""
        with self._lock:
            if self._pictures is None:
                from edged.service.pictures import Pictures  # noqa: PLC0415  # see above

                self._pictures = Pictures(self._section, self._models, show=self._show, keep=self._keep)
                if not self._closed:
                    self._pictures.start()
            return self._pictures

    def watch(self, camera: str, update: "BookUpdate", frame: "Frame", found: "Detections") -> None:
        """See `Pictures.watch`."""
        section = self._section(camera)
        if section is not None and section.snapshots.enabled and not self._closed:
            self.wanted.watch(camera, update, frame, found)

    def looked(self, camera: str, model: str, result: "Result", tracks: "Tracks | None") -> None:
        """See `Pictures.looked`."""
        section = self._section(camera)
        if section is not None and section.privacy.blur and not self._closed:
            self.wanted.looked(camera, model, result, tracks)

    def forget(self, camera: str) -> None:
        """See `Pictures.forget`."""
        if self._pictures is not None:
            self._pictures.forget(camera)

    def close(self, timeout_s: float) -> None:
        """See `Pictures.close`."""
        with self._lock:
            self._closed = True
        if self._pictures is not None:
            self._pictures.close(timeout_s)
