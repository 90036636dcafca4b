"""What a configuration needs of the machine. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from edged.errors import ConfigurationError
from edged.sections import ModelSettings
from edged.settings import Settings
from edged.sources.sensoraddress import sensor_address

RENDER, ACCELERATOR, NVIDIA = "/dev/dri/renderD*", "/dev/accel/accel*", "/dev/nvidiactl"


@dataclass(frozen=True, slots=True)
class DeviceNeed:
    """A device that something configured needs.

    Attributes:
        key: Who needs it: ``cameras.gate``.
        pattern: Of its path; one that fits is enough.
        group: That usually may use it.
        missing: What to do where there is none.
    """

    key: str
    pattern: str
    group: str
    missing: str


def devices(settings: Settings) -> list[DeviceNeed]:
    """Every device that is needed, once for each who needs it."""
    return list(dict.fromkeys([*_of_cameras(settings), *_of_models(settings), *_of_sensors(settings)]))


def providers(settings: Settings) -> dict[str, ModelSettings]:
    """The models that cameras and sensors use, by name: their providers are asked for."""
    used = {name for camera in settings.cameras.values() for name in camera.models}
    used |= {name for sensor in settings.sensors.values() for name in sensor.models}
    return {name: section for name, section in settings.models.items() if name in used}


def decoders(settings: Settings) -> dict[str, str]:
    """The hardware decoder that is asked for by name, by key."""
    return {
        f"cameras.{name}.decoder": camera.decoder
        for name, camera in settings.cameras.items()
        if camera.decoder not in {"software", "auto"}
    }


def _of_cameras(settings: Settings) -> Iterator[DeviceNeed]:
    for name, camera in settings.cameras.items():
        if camera.url.startswith("v4l2:"):
            plugged = "plug the camera in, and see: ls -l /dev/v4l/by-id"
            yield DeviceNeed(f"cameras.{name}", camera.url.removeprefix("v4l2:"), "video", plugged)
        if camera.decoder in {"vaapi", "qsv"}:
            yield _graphics(f"cameras.{name}.decoder")
        if camera.decoder == "cuda":
            yield _nvidia(f"cameras.{name}.decoder")


def _of_models(settings: Settings) -> Iterator[DeviceNeed]:
    for name, model in providers(settings).items():
        for provider in model.providers:
            key, (kind, _, device) = f"models.{name}.providers", provider.partition(":")
            if kind == "openvino" and "GPU" in device:
                yield _graphics(key)
            if kind == "openvino" and "NPU" in device:
                driver = "install the driver intel_vpu and its firmware, or write another provider"
                yield DeviceNeed(key, ACCELERATOR, "render", driver)
            if kind in {"cuda", "tensorrt"}:
                yield _nvidia(key)


def _of_sensors(settings: Settings) -> Iterator[DeviceNeed]:
    for name, sensor in settings.sensors.items():
        try:
            address = sensor_address(sensor.url, key=f"sensors.{name}.url")
        except ConfigurationError:
            continue  # said among the sensors
        if address.kind == "serial":
            plugged = "plug it in, and see: ls -l /dev/serial/by-id"
            yield DeviceNeed(f"sensors.{name}", address.target, "dialout", plugged)
        if address.kind == "iio" and not {"sysfs", "dev"} & address.options.keys():
            driver = "load its driver, and see: ls /sys/bus/iio/devices"
            yield DeviceNeed(f"sensors.{name}", "/dev/iio:device*", "iio", driver)


def _graphics(key: str) -> DeviceNeed:
    absent = "load the driver of the graphics processor (i915, xe, amdgpu), or write the processor instead"
    return DeviceNeed(key, RENDER, "render", absent)


def _nvidia(key: str) -> DeviceNeed:
    return DeviceNeed(key, NVIDIA, "video", "install NVIDIA's driver, and see: nvidia-smi")
