import json
from dataclasses import replace

import pytest
from commands import failed, process

from edged.bench.figures import STAGES, Bare, Capacity, Report, Stage, Whole
from edged.cli.benching import BUSY, document, page

REPORT = Report(
    model={
        "path": "m.onnx",
        "digest": "sha256:ab",
        "family": "yolox",
        "provider": "cpu",
        "threads": 1,
        "passed_over": ["openvino:CPU: is not here"],
    },
    video={"path": "v.mp4", "width": 1280, "height": 720, "fps": 25.0},
    machine={"cpu": "a processor", "cores": 2, "runtime": {"onnxruntime": "1.32.0"}},
    stages={name: Stage(1.0, 2.0, 3.0) for name in STAGES},
    alone=Bare(1, 40.0, 20.0),
    full=Bare(2, 75.0, 22.0),
    whole=Whole(60.0, 25.3),
    capacity=Capacity(5.0, 12, 15),
    rounds=5,
    frames=300,
    seconds=21.0,
    others=0.0,
)


def test_the_page_says_what_limits_and_what_the_daemon_adds():
    text = "\n".join(page(REPORT))
    assert "12 at most. The processor is the limit" in text
    assert "1.10 × the CPU of decoding and the bare session (23.00 ms)" in text
    assert "passed over openvino:CPU: is not here" in text
    assert "bare session, 2 at once" in text
    assert [line.split()[0] for line in text.splitlines()[6:11]] == [
        "decode",
        "prepare",
        "hand",
        "inference",
        "boxes",
    ]


def test_a_single_core_has_one_bare_session():
    text = "\n".join(page(replace(REPORT, full=REPORT.alone)))
    assert text.count("bare session, ") == 1


@pytest.mark.parametrize(("others", "warns"), [(0.0, False), (BUSY, False), (1.3, True)])
def test_a_busy_machine_is_told_of(others, warns):
    report = replace(REPORT, others=others)
    assert ("Other programs kept" in "\n".join(page(report))) is warns
    assert document(report)["busy"] is warns


def test_the_document_holds_what_the_page_says():
    told = json.loads(json.dumps(document(REPORT)))
    assert told["schema"] == "edged.bench/1"
    assert told["capacity"] == {
        "fps": 5.0,
        "by_cpu": 12,
        "by_inference": 15,
        "cameras": 12,
        "limit": "processor",
    }
    assert told["stages"]["inference"] == {"p50_ms": 1.0, "p95_ms": 2.0, "cpu_ms": 3.0}
    assert told["cpu_ratio"] == 1.1


def test_what_is_no_video_is_said_in_one_line(tmp_path):
    failed(process("bench", tmp_path / "no.mp4"), 66, "no such file")
    failed(process("bench", tmp_path), 2, "INPUT.*is no video file")
