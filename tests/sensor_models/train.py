"""Trains the anomaly detectors that tests play NAB's and SKAB's streams through: NumPy finds them, ONNX holds them.

    python tests/sensor_models/train.py shared/assets/sensors FOLDER

Each is a linear autoencoder of windows (principal components of the scaled training part), as ONNX with the scaling and
the threshold in `model.toml`. The threshold is MARGIN times the greatest error of any window of the training part;
nothing after that part is looked at, and no label but the one that ends it. Nothing is random: the same numbers in, the
same model out.

* ``nab``: a machine's temperature every five minutes, in windows of twelve hours, one component: the level. Its code is
  bounded by what training saw, else a level far below would be rebuilt as well as any. Trained on what lies before the
  first labelled window (2,126 rows, a week).
* ``valve1_0``, ``valve1_4``: SKAB's pump while a valve closes, in windows of a minute, twelve components. Trained on
  the first 400 rows, as SKAB's authors do. The thermocouple is left out: it follows the room, and drifts in minutes.
* ``anomaly-free``: the same pump at four times the flow, trained on the first half of that file. It says nothing about
  the valves, where to it every window is strange: another speed is another machine.

How many components and what margin was chosen with the streams in sight; 4 to 16 components do about as well.
"""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MARGIN = 1.25
NAB_FILE = "nab_machine_temperature.csv"
NAB_KEY = "realKnownCause/machine_temperature_system_failure.csv"
SKAB_FIELDS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Voltage",
    "Volume Flow RateRMS",
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Detector:
    """An autoencoder of windows (W, F), and from which mean square of its error on a window is an anomaly.

    Attributes:
        fields: F names.
        window: W.
        mean: (F,), of the training part.
        std: (F,)
        center: (W * F,), of scaled windows.
        components: (W * F, K)
        bounds: Least and greatest code of training, (K,) each; None = codes are not bounded.
        threshold: Of the mean square, in scaled numbers.
    """

    fields: tuple[str, ...]
    window: int
    mean: Array
    std: Array
    center: Array
    components: Array
    bounds: tuple[Array, Array] | None
    threshold: float


def train(rows: Array, fields: Sequence[str], *, window: int, components: int, bounded: bool) -> Detector:
    """Find one.

    Args:
        rows: (N, F), all of them usual.
        fields: F names.
        window: Rows.
        components: How many numbers a window is squeezed into.
        bounded: Whether no window may be rebuilt from codes beyond those of training.
    """
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    scaled = (rows - mean) / std
    windows = np.lib.stride_tricks.sliding_window_view(scaled, window, axis=0).transpose(0, 2, 1)
    flat = windows.reshape(len(windows), -1)
    center = flat.mean(axis=0)
    _, directions = np.linalg.eigh((flat - center).T @ (flat - center))  # least important first
    basis = directions[:, : -components - 1 : -1]
    codes = (flat - center) @ basis
    error = ((flat - center - codes @ basis.T) ** 2).mean(axis=1)
    bounds = (codes.min(axis=0), codes.max(axis=0)) if bounded else None
    return Detector(tuple(fields), window, mean, std, center, basis, bounds, MARGIN * float(error.max()))


def save(detector: Detector, folder: Path) -> Path:
    """Write ``model.onnx`` and ``model.toml``; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(as_onnx(detector), folder / "model.onnx")
    (folder / "model.toml").write_text(
        'task = "tabular"\nfamily = "autoencoder"\n'
        f"[input]\nfields = {json.dumps(detector.fields)}\nwindow = {detector.window}\n"
        f"mean = {detector.mean.tolist()}\nstd = {detector.std.tolist()}\n"
        f'[output]\nthreshold = {detector.threshold!r}\nerror = "mse"\n'
    )
    return folder


def as_onnx(detector: Detector) -> onnx.ModelProto:
    """Scaled windows [N, W, F] in, what they are rebuilt as out."""
    shape = ["N", detector.window, len(detector.fields)]
    constants = {
        "flat": np.array([-1, detector.center.size]),
        "square": np.array([-1, detector.window, len(detector.fields)]),
        "center": detector.center.astype(np.float32),
        "encoder": detector.components.astype(np.float32),
        "decoder": np.ascontiguousarray(detector.components.T, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["rows", "flat"], ["x"]),
        helper.make_node("Sub", ["x", "center"], ["centered"]),
        helper.make_node("MatMul", ["centered", "encoder"], ["code"]),
    ]
    code = "code"
    if detector.bounds is not None:
        constants["least"], constants["most"] = (bound.astype(np.float32) for bound in detector.bounds)
        nodes += [
            helper.make_node("Max", ["code", "least"], ["raised"]),
            helper.make_node("Min", ["raised", "most"], ["bounded"]),
        ]
        code = "bounded"
    nodes += [
        helper.make_node("MatMul", [code, "decoder"], ["back"]),
        helper.make_node("Add", ["back", "center"], ["y"]),
        helper.make_node("Reshape", ["y", "square"], ["rebuilt"]),
    ]
    graph = helper.make_graph(
        nodes,
        "autoencoder",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("rebuilt", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def nab(sensors: Path) -> Detector:
    """Of the temperature before the first labelled window."""
    first = labelled(sensors)[0][0]
    rows = [
        float(row["value"])
        for row in table(sensors / NAB_FILE, ",")
        if datetime.fromisoformat(row["timestamp"]) < first
    ]
    return train(np.array(rows)[:, None], ["value"], window=144, components=1, bounded=True)


def labelled(sensors: Path) -> list[tuple[datetime, datetime]]:
    """NAB's windows of the machine's temperature, in which a failure lies, or its signs."""
    windows = json.loads((sensors / "nab_combined_windows.json").read_text())[NAB_KEY]
    return [(datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in windows]


def skab(sensors: Path, name: str, *, rows: int, components: int = 12) -> Detector:
    """Of the first rows of one of SKAB's files."""
    found = table(sensors / f"skab_{name}.csv", ";")[:rows]
    numbers = np.array([[float(row[field]) for field in SKAB_FIELDS] for row in found])
    return train(numbers, SKAB_FIELDS, window=60, components=components, bounded=False)


def table(path: Path, delimiter: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def train_all(sensors: Path, folder: Path) -> None:
    """Write all of them, each into a folder of its own."""
    save(nab(sensors), folder / "nab")
    for name in ("valve1_0", "valve1_4"):
        save(skab(sensors, name, rows=400), folder / name)
    save(skab(sensors, "anomaly-free_anomaly-free", rows=4700, components=8), folder / "anomaly-free")


if __name__ == "__main__":
    train_all(Path(sys.argv[1]), Path(sys.argv[2]))
