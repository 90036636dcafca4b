"""Opens a camera as the daemon would, and takes one frame of it; looks at a sensor without reading from it."""

import importlib.util
import os
import re
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from edged.doctor.cameras import CameraFacts
from edged.doctor.deadline import Deadline
from edged.errors import BadInput, ConfigurationError, EdgedError, InputNotFound, NotAllowed
from edged.mqtt.topics import Topics
from edged.sections import CameraSettings, SensorSettings
from edged.service.sensors import require_source
from edged.sources.capture import Source, SourceStatistics
from edged.sources.pixels import Pixels
from edged.sources.sensoraddress import sensor_address
from edged.sources.stream import open_source
from edged.urls import redacted


def facts(name: str, section: CameraSettings, deadline: Deadline) -> CameraFacts:
    """Of one camera.

    Args:
        name: As configured.
        section: Its own.
        deadline: For its first frame.
    """
    shown = redacted(section.url)
    secret = re.search(r"\$\{credential:([^}]*)\}", section.url)
    if secret and not os.environ.get("CREDENTIALS_DIRECTORY"):
        return CameraFacts(name, shown, secret=secret[1])
    stop, began_s = threading.Event(), time.monotonic()
    timer = threading.Timer(deadline.left_s(), stop.set)
    timer.daemon = True
    timer.start()
    is_device = section.url.startswith("v4l2:")
    try:
        with _opened(name, section, stop, deadline) as source:
            pixels = _first(source)
            took_s = time.monotonic() - began_s
            if pixels is not None:
                size = pixels.width, pixels.height
                return CameraFacts(name, shown, None, *size, source.decoder, source.fps, took_s)
    except EdgedError as error:
        if not stop.is_set():
            return CameraFacts(name, shown, error, is_device=is_device)
    except Exception as error:  # noqa: BLE001  # a stream can be odd in ways that PyAV has no error for
        problem = f"its codec is not supported here ({type(error).__name__})"
        return CameraFacts(name, shown, BadInput(shown, problem, "play it with ffplay to see what it is"))
    finally:
        timer.cancel()
    took_s = time.monotonic() - began_s
    if stop.is_set():
        return CameraFacts(name, shown, took_s=took_s, late=True)
    return CameraFacts(
        name, shown, BadInput(shown, "holds no frame", "play it with ffplay to see what it is")
    )


def _opened(name: str, section: CameraSettings, stop: threading.Event, deadline: Deadline) -> Source:
    return open_source(
        section.url,
        name=name,
        stop=stop,
        statistics=SourceStatistics(),
        transport=section.transport,
        read_timeout_s=min(section.read_timeout, max(0.1, deadline.left_s())),
        decoder=section.decoder,
    )


def _first(source: Source) -> Pixels | None:
    with closing(source.captures()) as captures:
        for capture in captures:
            if capture.pixels is not None:
                return capture.pixels()
    return None


def sensor_problem(name: str, section: SensorSettings, *, topics: Topics, listen: str) -> EdgedError | None:
    """What is wrong with a sensor, as far as that is known without reading from it; None where nothing is.

    Args:
        name: As configured.
        section: Its own.
        topics: Of this device.
        listen: As ``http.listen``.
    """
    try:
        require_source(name, section, topics=topics, listen=listen, once=False)
        address = sensor_address(section.url, key=f"sensors.{name}.url")
    except EdgedError as error:
        return error
    if address.kind == "serial" and importlib.util.find_spec("serial") is None:
        return ConfigurationError(section.url, "pyserial is not installed", "pip install 'edged[serial]'")
    if address.kind != "path":
        return None
    path = Path(address.target)
    with suppress(OSError):
        if not path.exists():
            return InputNotFound(str(path), "no such file", "correct the path, or start what writes it")
    if not os.access(path, os.R_OK):
        return NotAllowed(str(path), "may not be read by this user", "check its permissions")
    return None
