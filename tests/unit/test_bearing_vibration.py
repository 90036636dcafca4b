"""The bundled model `bearing-vibration`, and the physical model it was trained from."""

import ast
import importlib.util
import os
import sys
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
import pytest

from edged.manifest import model_files, read_labels, read_manifest

FOLDER = Path(__file__).parents[2] / "models" / "bearing-vibration"
VERSION = FOLDER / "1"


def load_signals():
    spec = importlib.util.spec_from_file_location(
        "bearing_vibration_signals", FOLDER / "train" / "signals.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


signals = load_signals()
UNSEEN = range(4_000_000, 4_000_030)


@pytest.fixture(scope="module")
def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(VERSION / "model.onnx", options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def judge(session):
    return lambda rows: session.run(["probabilities"], {"window": rows})[0]


@pytest.fixture(scope="module")
def unseen():
    """One window of each class of thirty machines: rows [120, 8192, 3] and labels [120]."""
    found = [
        signals.render(signals.draw_machine(number), label, 0, snr_range=(-4, 14))
        for number in UNSEEN
        for label in range(len(signals.LABELS))
    ]
    return np.stack([window.rows for window in found]), np.array([window.label for window in found])


def macro_f1(labels, answers):
    scores = []
    for label in range(len(signals.LABELS)):
        right = np.sum((labels == label) & (answers == label))
        scores.append(2 * right / max(np.sum(labels == label) + np.sum(answers == label), 1))
    return np.mean(scores)


def test_its_files_say_what_it_is_and_agree(session):
    files = model_files(VERSION)
    manifest = read_manifest(files.manifest)
    metadata = session.get_modelmeta().custom_metadata_map
    assert manifest.task == metadata["task"] == "tabular"
    assert manifest.labels == read_labels(files.labels) == signals.LABELS
    assert ast.literal_eval(metadata["names"]) == dict(enumerate(signals.LABELS))
    assert (int(metadata["sample_rate_hz"]), int(metadata["rows"])) == (signals.SAMPLE_RATE_HZ, signals.ROWS)
    assert {"units", "fields", "license", "version"} <= set(metadata)


def test_raw_rows_go_in_and_any_number_of_windows_at_once(session, judge):
    (window,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (window.name, window.type, window.shape[1:]) == ("window", "tensor(float)", [8192, 3])
    assert (probabilities.name, probabilities.type, probabilities.shape[1:]) == (
        "probabilities",
        "tensor(float)",
        [4],
    )
    rows = np.random.default_rng(0).normal(size=(3, 8192, 3)).astype(np.float32)
    together = judge(rows)
    assert together.sum(axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(together[2:], judge(rows[2:]), atol=1e-4)


def test_the_files_are_small():
    assert (VERSION / "model.onnx").stat().st_size < 4_000_000
    assert sum(file.stat().st_size for file in (VERSION / "golden").iterdir()) < 300_000


@pytest.mark.parametrize("golden", read_manifest(VERSION / "model.toml").golden, ids=lambda one: one.input)
def test_a_golden_file_gets_its_label(judge, golden):
    rows = np.loadtxt(VERSION / golden.input, delimiter=",", skiprows=1, dtype=np.float32)
    (expected,) = golden.expect
    assert signals.LABELS[judge(rows[None])[0].argmax()] == expected.label


def test_a_sensor_that_says_nothing_gets_numbers_all_the_same(judge):
    for value in (0.0, 9.81, -1e6):
        assert np.isfinite(judge(np.full((1, 8192, 3), value, dtype=np.float32))).all()


def test_machines_that_training_never_saw_are_judged_right(judge, unseen):
    rows, labels = unseen
    assert macro_f1(labels, judge(rows).argmax(axis=1)) > 0.9


@pytest.mark.parametrize("factor", [1e-4, 1 / 9.80665, 1e4])
def test_the_unit_of_the_rows_does_not_matter(judge, unseen, factor):
    rows = unseen[0][:16]
    np.testing.assert_allclose(judge(rows * np.float32(factor)), judge(rows), atol=0.01)


def test_an_offset_does_not_matter(judge, unseen):
    rows = unseen[0][:16]
    offset = 20 * rows.std(axis=1, keepdims=True) * np.float32([1, -1, 0.5])
    np.testing.assert_allclose(judge(rows + offset), judge(rows), atol=0.02)


def test_a_sensor_mounted_another_way_gets_the_same_answers(judge, unseen):
    rows = unseen[0][:32]
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    seen = judge((rows @ rotation).astype(np.float32))
    assert np.mean(seen.argmax(axis=1) == judge(rows).argmax(axis=1)) >= 0.97
    np.testing.assert_allclose(seen, judge(rows), atol=0.05)


def test_fault_frequencies_are_those_of_the_worked_example():
    """SKF 6205-2RS: 9 balls of 7.94 mm on 39.04 mm."""
    orders = signals.Bearing(9, 7.94, 39.04).orders()
    assert orders.bpfi == pytest.approx(5.4152, abs=1e-4)
    assert orders.bpfo == pytest.approx(3.5848, abs=1e-4)
    assert orders.bsf == pytest.approx(2.357, abs=1e-3)
    assert 2 * orders.bsf == pytest.approx(4.7135, abs=1e-3)
    assert orders.ftf == pytest.approx(0.39828, abs=1e-4)


def test_every_element_passes_one_race_or_the_other():
    orders = signals.Bearing(13, 10, 61, contact_deg=25).orders(cage_slip=0.015)
    assert orders.bpfo + orders.bpfi == pytest.approx(13)
    assert orders.bpfo == pytest.approx(13 * orders.ftf)


def test_the_same_seed_renders_the_same_window_and_another_another():
    machine = signals.draw_machine(7)
    first, again, other = (signals.render(machine, 1, seed) for seed in (0, 0, 1))
    assert (first.rows == again.rows).all()
    assert first.rows.shape == (8192, 3)
    assert first.rows.dtype == np.float32
    assert not (first.rows == other.rows).all()


@pytest.mark.parametrize("label", [1, 2, 3])
def test_the_lines_of_a_rendered_fault_stand_where_the_kinematics_say(label):
    machine = signals.replace(
        signals.draw_machine(11),
        bearing=signals.Bearing(9, 7.94, 39.04),
        cage_slip=0.0,
        jitter=0.0,
        ball_asymmetry=1.0,
        load_floor=0.3,
        clip=np.inf,
        speed_hz=30.0,
        knocks_hz=0.0,
        gear_teeth=0.0,
        mains_hz=0.0,
    )
    window = signals.render(machine, label, 0, snr_db=20.0)
    centred = window.rows - window.rows.mean(axis=0)
    high = np.fft.rfft(centred, axis=0)
    high[: int(400 * 0.64)] = 0
    power = (np.fft.irfft(high, axis=0) ** 2).sum(axis=1)
    spectrum = np.abs(np.fft.rfft((power - power.mean()) * np.hanning(8192)))
    orders = machine.bearing.orders()
    wanted = window.speed_hz * {1: orders.bpfi, 2: orders.bpfo, 3: 2 * orders.bsf}[label]
    strongest = (spectrum[40:].argmax() + 40) / 0.64
    assert min(abs(strongest / wanted - h) for h in (1, 2, 3, 4)) < 0.03
