"""Others that do the same work, in an environment of their own: `openvino-model-api` and OpenVINO's ``benchmark_app``.

Made when asked for (``--peers``), outside the repository; OpenVINO's telemetry is taken out before anything runs there.
"""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.performance.processes import SideFailedError, environment

PACKAGES = ("openvino-model-api[onnx]", "openvino", "opencv-python-headless", "paho-mqtt")
TELEMETRY = "openvino-telemetry"
INSTALL_S = 600


class Peers:
    """See `made`.

    Attributes:
        python: The interpreter of their environment.
        why: Why they are not there; empty where they are.
        versions: Of their packages.
    """

    def __init__(self, python: Path, why: str = "", versions: dict[str, str] | None = None) -> None:
        self.python, self.why, self.versions = python, why, versions or {}

    def benchmark_app(self, model: Path, *, hint: str, seconds: float) -> float:
        """Inferences a second, as the runtime's own tool says."""
        tool = self.python.parent / "benchmark_app"
        command = [str(tool), "-m", str(model), "-d", "CPU", "-hint", hint, "-t", str(max(1, round(seconds)))]
        done = subprocess.run(
            [*command, "-infer_precision", "f32"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
        )
        found = re.search(r"Throughput:\s*([\d.]+)", done.stdout)
        if not found:
            raise SideFailedError(f"benchmark_app: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        return float(found[1])


def made(folder: Path) -> Peers:
    """The environment in this folder, made where it is not there yet."""
    python = folder / "bin" / "python"
    try:
        if not python.is_file():
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(python), "-m", "pip", "install", "--quiet", *PACKAGES)
        _run(str(python), "-m", "pip", "uninstall", "--quiet", "--yes", TELEMETRY)
        listed = _run(str(python), "-m", "pip", "list", "--format", "freeze")
    except (OSError, subprocess.SubprocessError) as error:
        last = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        return Peers(python, f"cannot be installed ({last[:160]})")
    versions = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    known = {name.partition("[")[0].replace("-", "_") for name in PACKAGES}
    return Peers(python, "", {name: one for name, one in versions.items() if name.replace("-", "_") in known})


def none() -> Peers:
    """Not asked for."""
    return Peers(Path(), "not asked for: --peers")


def _run(*command: str) -> str:
    done = subprocess.run(
        command, env=environment(), check=True, capture_output=True, text=True, timeout=INSTALL_S
    )
    return done.stdout
