"""What came of opening a camera, or of looking at a sensor. Pure."""

from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.findings import Finding
from edged.errors import BadInput, ConfigurationError, EdgedError, InputNotFound, NotAllowed
from edged.sections import is_sensor_path


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What was seen of one.

    Attributes:
        name: As configured.
        shown: Its address without the password.
        error: Why no frame came; None where one came.
        width: Pixels of the upright frame.
        height: Pixels.
        decoder: The codec, and what decodes it; empty for pictures.
        fps: As the source declares it; None where it does not.
        took_s: From opening to the first frame.
        secret: Name of a credential that was not given to this command; empty for none.
        is_device: Whether it is a device of this machine.
        late: Whether the time was up before a frame came.
    """

    name: str
    shown: str
    error: EdgedError | None = None
    width: int = 0
    height: int = 0
    decoder: str = ""
    fps: float | None = None
    took_s: float = 0.0
    secret: str = ""
    is_device: bool = False
    late: bool = False


def finding(facts: CameraFacts, *, runs: bool) -> Finding:
    """What it comes to.

    Args:
        facts: What was seen.
        runs: Whether a daemon of this configuration runs on this machine.
    """
    key, shown, error = f"cameras.{facts.name}", facts.shown, facts.error
    if facts.secret:
        return kinds.CAMERA_SECRET.found(key, f"{shown}: the credential {facts.secret!r} was not given")
    if facts.late:
        return kinds.CAMERA_UNFINISHED.found(key, f"{shown}: no frame after {facts.took_s:.0f} s")
    if error is None:
        return kinds.CAMERA.found(key, f"{shown}: {_picture(facts)}")
    seen = f"{shown}: {error.problem}"
    if facts.is_device and runs and "cannot be opened" in error.problem:
        return kinds.CAMERA_BUSY.found(key, f"{shown}: the daemon uses it")
    by_leaf = {
        NotAllowed: kinds.CAMERA_REFUSED,
        InputNotFound: kinds.CAMERA_MISSING,
        ConfigurationError: kinds.CAMERA_MISCONFIGURED,
        BadInput: kinds.CAMERA_UNDECODABLE,
    }
    kind = next((one for leaf, one in by_leaf.items() if isinstance(error, leaf)), kinds.CAMERA_UNREACHABLE)
    return kind.found(key, seen, do=error.remedy)


def _picture(facts: CameraFacts) -> str:
    rate = f"{facts.fps:g} frames a second" if facts.fps else "no declared rate"
    codec = facts.decoder or "pictures"
    return f"{facts.width}x{facts.height}, {codec}, {rate}, first frame after {facts.took_s:.1f} s"


def sensor_finding(name: str, shown: str, error: EdgedError | None) -> Finding:
    """What looking at a sensor comes to.

    Args:
        name: As configured.
        shown: Its address.
        error: What is wrong with it; None where nothing is.
    """
    key = f"sensors.{name}"
    if error is None:
        order = "can be read" if is_sensor_path(shown) else "its address is in order"
        return kinds.SENSOR.found(key, f"{shown}: {order}")
    if isinstance(error, NotAllowed):
        return kinds.SENSOR_REFUSED.found(key, f"{shown}: {error.problem}", path=error.subject)
    kind = kinds.SENSOR_MISSING if isinstance(error, InputNotFound) else kinds.SENSOR_MISCONFIGURED
    return kind.found(key, f"{shown}: {error.problem}", do=error.remedy)
