"""The commands as programs: exit codes, what goes to which stream, and what they write."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import jsonschema
import numpy as np
import pytest
import structlog
import toy_models
from clips import solid_frame, write_clip, write_picture

import edged
from edged import bundle, cli
from edged.frame import PixelLayout
from edged.sources import stream
from edged.sources.address import Address, Kind
from edged.sources.capture import Capture
from edged.sources.faults import stalled
from edged.sources.pixels import Pixels

SCHEMA = json.loads((Path(edged.__file__).parent / "schema/detections-1.json").read_text())
TOML = '[cameras.front]\nurl = "rtsp://joe:hidden@cam/1"\nmodels = ["vehicles"]\n'


Done = subprocess.CompletedProcess[str]


@pytest.fixture
def edged_in(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder, as a user would, but in this process: it takes a fifth of the time."""
    for name in [name for name in os.environ if name.startswith("EDGED_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(cli, "_hush_native_code", lambda: None)  # it takes the descriptor from pytest too
    monkeypatch.setenv("EDGED_DEVICE", "gate-7")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["edged", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(sys.argv, int(ended.value.code or 0), *capsys.readouterr())

    yield run
    structlog.reset_defaults()


@pytest.fixture
def edged_process(tmp_path):
    """Runs a command as a process of its own; ``before`` is executed in it first, ``under`` starts it."""

    def run(*arguments: object, before: str = "", under: Sequence[str] = ()) -> Done:
        program = f"{before}\nfrom edged.cli import main\nmain()"
        return subprocess.run(
            [*under, sys.executable, "-c", program, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def model(tmp_path):
    return toy_models.light_detector(tmp_path / "toy.onnx")


def one_line(done: Done, code: int) -> str:
    """The only line of an error, on standard error."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return only_line(done)


def only_line(done: Done) -> str:
    """The only line on standard error, whatever else was said on standard output."""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("edged: ")
    return done.stderr


@pytest.mark.parametrize(
    ("command", "rest"),
    [
        ("edged", "frobnicate"),
        ("edged", "--frob"),
        ("edged run", "--frob"),
        ("edged detect", "a.jpg"),
        ("edged detect", "a.jpg -m m.onnx --min-score 2"),
        ("edged detect", "a.jpg -m m.onnx --every 0"),
        ("edged demo", "--seconds soon"),
        ("edged config", "frob"),
        ("edged model inspect", "a.onnx b.onnx"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_one_line_that_names_the_help(edged_in, command, rest):
    line = one_line(edged_in(*command.split()[1:], *rest.split()), 2)
    assert line.startswith(f"edged: {command}: ")
    assert line.endswith(f"; see {command} --help\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "", "-m", "toy.onnx"], "an argument"),
        (["detect", "a.png", "-m", ""], "-m"),
        (["detect", "a.png", "--model="], "--model"),
        (["detect", "a.png", "-m", "toy.onnx", "--save", ""], "--save"),
        (["model", "inspect", ""], "an argument"),
        (["run", "-c", ""], "-c"),
        (["score", "a.csv", "-m", "", "--fields", ""], "-m"),
    ],
)
def test_an_empty_word_is_no_path(edged_in, tmp_path, model, arguments, said):
    write_picture(tmp_path / "a.png")
    assert f"edged: {said}: is empty" in one_line(edged_in(*arguments), 2)


@pytest.mark.parametrize(
    "command", ["detect {} -m toy.onnx", "model test toy.onnx {} --json", "bench {} -m toy.onnx"]
)
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://x/y", "write rtsp(s)://host/path"),
        ("rtsp://", "write rtsp(s)://host/path"),
        ("rtsp://cam:p@ss:w/d@h/x", "%2F"),
    ],
)
def test_an_address_that_is_none_is_a_wrong_argument(edged_in, model, command, address, said):
    done = edged_in(*command.format(address).split())
    assert done.returncode == 2
    line = only_line(done)
    assert line.startswith("edged: INPUT: ")
    assert said in line
    assert "w/d" not in line


@pytest.mark.parametrize("arguments", [[], ["model"]], ids=["edged", "edged model"])
def test_without_a_command_the_help_is_shown(edged_in, arguments):
    done = edged_in(*arguments)
    assert "Usage: " in done.stdout + done.stderr
    assert "edged: " not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--camera", "a.mp4"], "--camera and --model"),
        (["run", "--model", "m.onnx"], "--camera and --model"),
        (["run", "--mqtt", "mqtt://b"], "--mqtt"),
        (["run", "-c", "a.toml", "--camera", "a.mp4", "--model", "m.onnx"], "-c"),
        (["detect", "a.jpg", "b.jpg", "-m", "m.onnx", "--save", "seen.jpg"], "--save"),
        (["detect", "a.jpg", "-m", "m.onnx", "--tiles", "9x9"], "--tiles"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_named_in_one_line(edged_in, arguments, said):
    assert said in one_line(edged_in(*arguments), 2)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "run",
        "demo",
        "detect",
        "watch",
        "config check",
        "config show",
        "model inspect",
        "model catalog",
        "model add",
    ],
)
def test_every_command_has_a_help_with_an_example(edged_in, command):
    done = edged_in(*command.split(), "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"edged {command}".strip() in done.stdout


@pytest.mark.parametrize("command", ["run", "detect", "score", "bench"])
def test_examples_stand_on_lines_of_their_own(edged_in, command):
    lines = edged_in(command, "--help").stdout.splitlines()
    examples = [line for line in lines if line.startswith("    edged ")]
    assert len(examples) > 1
    assert all(line.count("edged ") == 1 for line in examples)


def test_the_version_is_printed(edged_in):
    assert edged_in("--version").stdout == f"edged {edged.__version__}\n"


def test_a_configuration_that_is_fine_is_said_to_be(edged_in, tmp_path):
    (tmp_path / "edged.toml").write_text(TOML)
    done = edged_in("config", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "edged.toml: fine (1 camera, 0 sensors, 1 model)\n"


def test_keys_without_effect_are_told_on_standard_error(edged_in, tmp_path):
    (tmp_path / "edged.toml").write_text(
        TOML + '[cameras.front.motion]\ngate = "stream"\nmasks = [[[0, 0], [1, 0], [1, 1]]]\n'
    )
    done = edged_in("config", "check")
    assert done.returncode == 0
    assert "cameras.front.motion.masks" in done.stderr
    assert "cameras.front.motion.masks" not in done.stdout


def test_updates_whose_keys_are_not_there_are_a_wrong_configuration(edged_in, tmp_path):
    updates = '[updates]\nurl = "https://joe:hidden@updates.lan/"\nroot = "root.json"\n'
    (tmp_path / "edged.toml").write_text(TOML + updates)
    line = one_line(edged_in("config", "check"), 78)
    assert "'updates.root' is root.json, which cannot be read (No such file or directory)" in line
    (tmp_path / "root.json").write_text("{}")
    assert edged_in("config", "check").returncode == 0
    shown = edged_in("config", "show").stdout
    assert "https://joe:***@updates.lan/" in shown
    assert "hidden" not in shown


def test_settings_are_shown_masked_and_each_with_where_it_came_from(edged_in, tmp_path):
    path = tmp_path / "edged.toml"
    path.write_text(TOML)
    done = edged_in("config", "show", "-c", path, "--json", EDGED_MQTT__QOS="2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["key"]: (row["value"], row["from"]) for row in json.loads(done.stdout)}
    assert rows["cameras.front.url"] == ("rtsp://joe:***@cam/1", str(path))
    assert rows["mqtt.qos"] == (2, "environment EDGED_MQTT__QOS")
    assert rows["mqtt.base_topic"] == ("edged", "default")
    page = edged_in("config", "show", "-c", path).stdout
    assert "rtsp://joe:***@cam/1" in page
    assert "hidden" not in page + done.stdout


def test_the_schema_of_the_configuration_is_printed(edged_in):
    jsonschema.Draft202012Validator.check_schema(json.loads(edged_in("config", "schema").stdout))


@pytest.mark.parametrize("command", ["config check", "config show", "run"])
@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (None, 66, "no such file"),
        ("[mqtt]\nulr = 1\n", 78, "unknown key 'mqtt.ulr'; did you mean 'url'?"),
        ('[mqtt]\nurl = "tcp://joe:hidden@b"\n', 78, "'mqtt.url'"),
        ("[mqtt", 78, "is not TOML"),
    ],
    ids=["missing", "unknown key", "wrong value", "no TOML"],
)
def test_a_wrong_configuration_is_one_line_with_its_code(edged_in, tmp_path, command, text, code, said):
    if text is not None:
        (tmp_path / "my.toml").write_text(text)
    line = one_line(edged_in(*command.split(), "-c", "my.toml"), code)
    assert "my.toml" in line
    assert said in line
    assert "hidden" not in line


def test_a_daemon_without_any_configuration_says_where_it_looked(edged_in):
    assert "-c FILE" in one_line(edged_in("config", "check"), 78)


def test_debug_shows_where_an_error_comes_from(edged_process):
    done = edged_process("config", "check", "-c", "my.toml", "--debug")
    assert done.returncode == 66
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("edged: my.toml")


@pytest.mark.parametrize(
    "command", [["detect", "a.png", "-m"], ["model", "inspect"]], ids=["detect", "inspect"]
)
@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (lambda path: path, 66, "no such model"),
        (lambda path: path.write_text("no model, but long enough") and path, 65, "is not"),
        (
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1") and path,
            65,
            "git lfs pull",
        ),
        (toy_models.classifier, 65, "is no detector"),
        (toy_models.with_context_node, 65, "EPContext"),
        (lambda path: toy_models.nan_detector(path, always=True), 65, "NaN"),
    ],
    ids=["missing", "unreadable", "LFS", "classifier", "EPContext", "NaN"],
)
def test_a_model_that_cannot_be_served_is_one_line_with_its_code(
    edged_in, tmp_path, command, make, code, said
):
    write_picture(tmp_path / "a.png")
    done = edged_in(*command, make(tmp_path / "m.onnx"))
    known = command[-1] == "inspect" and code == 65  # there is a file, and a page of what is known of it
    line = only_line(done) if known else one_line(done, code)
    assert done.returncode == code
    assert "m.onnx" in line
    assert said in line
    if known:
        assert "digest       sha256:" in done.stdout
        assert "servable     no" in done.stdout


@pytest.mark.parametrize(
    ("name", "code"), [("missing.jpg", 66), ("broken.jpg", 65), ("missing/", 66), ("broken.mp4", 65)]
)
def test_an_input_that_cannot_be_read_is_one_line_with_its_code(edged_in, tmp_path, model, name, code):
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"neither picture nor video")
    assert name.rstrip("/") in one_line(edged_in("detect", name, "-m", model, "--json"), code)


def test_of_several_inputs_the_good_ones_are_answered_and_the_bad_one_gives_the_code(
    edged_in, tmp_path, model
):
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name, (255, 255, 255))
    done = edged_in("detect", "a.png", "missing.png", "b.png", "-m", model, "--json")
    assert done.returncode == 66
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["a.png", "b.png"]
    assert len(done.stderr.splitlines()) == 1


def test_with_json_standard_output_holds_messages_of_the_contract_and_nothing_else(edged_in, tmp_path, model):
    write_picture(tmp_path / "bright.png", (255, 255, 255), width=128, height=128)
    write_picture(tmp_path / "dark.png", (0, 0, 0))
    done = edged_in("detect", "bright.png", "dark.png", "-m", model, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    bright, dark = (json.loads(line) for line in done.stdout.splitlines())
    for message in (bright, dark):
        jsonschema.validate(message, SCHEMA)
    (found,) = bright["detections"]
    assert (found["label"], found["score"]) == ("cat", pytest.approx(0.9))
    assert found["box"] == pytest.approx([16, 16, 48, 48])
    assert bright["device"] == "gate-7"
    assert bright["model"]["name"] == "toy"
    assert dark["detections"] == []


def test_parts_of_a_picture_are_looked_at_and_boxes_are_those_of_the_picture(edged_in, tmp_path, model):
    write_picture(tmp_path / "a.png", (255, 255, 255), width=128, height=128)
    done = edged_in("detect", "a.png", "-m", model, "--json", "--crop", "0.5,0.25,1,0.75")
    message = json.loads(done.stdout)
    jsonschema.validate(message, SCHEMA)
    assert [found["box"] for found in message["detections"]] == [pytest.approx([72, 40, 88, 56])]
    done = edged_in("detect", "a.png", "-m", model, "--json", "--tiles", "2x2", "--overlap", "0")
    found = [tuple(map(round, one["box"])) for one in json.loads(done.stdout)["detections"]]
    corners = [(x + 8, y + 8, x + 24, y + 24) for x in (0, 64) for y in (0, 64)]
    assert sorted(found) == sorted([(16, 16, 48, 48), *corners])


def test_a_bundled_model_is_meant_by_its_name(edged_in, tmp_path, model, monkeypatch):
    version = tmp_path / "site" / "edged" / "bundled" / "models" / "toys" / "3"
    version.mkdir(parents=True)
    model.rename(version / "model.onnx")
    monkeypatch.setattr(bundle, "PACKAGE", tmp_path / "site" / "edged")
    write_picture(tmp_path / "a.png", (255, 255, 255), width=128, height=128)
    message = json.loads(edged_in("detect", "a.png", "-m", "toys", "--json").stdout)
    assert (message["model"]["name"], message["model"]["version"]) == ("toys", 3)
    assert [found["label"] for found in message["detections"]] == ["cat"]
    assert "models/toys/3/model.onnx" in edged_in("model", "inspect", "toys").stdout


@pytest.mark.parametrize(
    "command",
    [
        ["detect", "a.png", "-m", "toy"],
        ["model", "inspect", "toy"],
        ["run", "--camera", "a.png", "--model", "toy"],
    ],
    ids=["detect", "inspect", "run"],
)
def test_a_name_that_is_no_bundled_model_is_answered_with_those_there_are(
    edged_in, tmp_path, model, monkeypatch, command
):
    version = tmp_path / "site" / "edged" / "bundled" / "models" / "toys" / "1"
    version.mkdir(parents=True)
    model.rename(version / "model.onnx")
    monkeypatch.setattr(bundle, "PACKAGE", tmp_path / "site" / "edged")
    write_picture(tmp_path / "a.png")
    assert "toy: no such model" in (line := one_line(edged_in(*command), 66))
    assert line.endswith("or a bundled model: toys\n")


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["page", "json"])
def test_the_password_of_a_camera_is_not_printed(edged_in, model, monkeypatch, form):
    monkeypatch.setattr(stream, "open_source", lambda *_args, **_options: OnePicture())
    url = "http://joe:hidden1@cam/video.mjpg?token=hidden2"
    done = edged_in("detect", url, "-m", model, *form)
    assert (done.returncode, done.stderr) == (0, "")
    assert "http://joe:***@cam/video.mjpg?token=***" in done.stdout
    assert "hidden" not in done.stdout


def test_a_camera_that_goes_away_is_not_said_to_be_opened_again(edged_in, model, monkeypatch):
    monkeypatch.setattr(stream, "open_source", lambda *_args, **_options: OnePicture(lost=True))
    done = edged_in("detect", "http://cam/video.mjpg", "-m", model)
    assert done.returncode == 69
    line = only_line(done)
    assert "the stream stalled" in line
    assert line.endswith("; run this again once the camera is back\n")


class OnePicture:
    """A camera that sends a single picture, and may fall silent then."""

    def __init__(self, *, lost: bool = False) -> None:
        self._lost = lost

    warning = None

    def __enter__(self) -> "OnePicture":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def captures(self) -> Iterator[Capture]:
        plane = np.zeros((64, 64, 3), np.uint8)
        yield Capture(None, 0.0, lambda: Pixels(64, 64, PixelLayout.BGR, (plane,)))
        if self._lost:
            raise stalled(Address(Kind.HTTP, "http://cam/", "http://cam/"), 5.0)


def test_a_score_may_be_asked_for(edged_in, tmp_path, model):
    write_picture(tmp_path / "a.png", (255, 255, 255))
    done = edged_in("detect", "a.png", "-m", model, "--json", "--min-score", "0.95")
    assert json.loads(done.stdout)["detections"] == []


def test_of_a_video_only_every_so_many_frames_are_looked_at(edged_in, tmp_path, model):
    write_clip(tmp_path / "a.mkv", [solid_frame(64, 48, (235, 128, 128))] * 10)
    done = edged_in("detect", "a.mkv", "-m", model, "--json", "--every", "4")
    assert [json.loads(line)["sequence"] for line in done.stdout.splitlines()] == [0, 4, 8]


def test_people_get_a_line_a_picture_and_a_row_an_object(edged_in, tmp_path, model):
    write_picture(tmp_path / "a.png", (255, 255, 255), width=64, height=64)
    done = edged_in("detect", "a.png", "-m", model)
    picture, row = done.stdout.splitlines()
    assert picture.startswith("a.png #0  64 × 64  1 object")
    assert row.split() == ["cat", "0.900", "8.0", "8.0", "24.0", "24.0"]


def drawn(picture: np.ndarray) -> bool:
    """Whether something coloured was drawn on a white picture."""
    return bool((np.ptp(picture.astype(int), axis=2) > 60).sum() > 20)


def opened(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None, f"{path} does not open"
    return picture


@pytest.mark.parametrize(
    ("name", "target"), [("a.png", "seen.png"), ("a.png", "new/seen.jpg"), ("a.ppm", "seen.JPG")]
)
def test_a_picture_is_saved_with_its_boxes_drawn(edged_in, tmp_path, model, name, target):
    write_picture(tmp_path / name, (255, 255, 255), width=128, height=128)
    done = edged_in("detect", name, "-m", model, "--save", target)
    assert (done.returncode, done.stderr) == (0, "")
    picture = opened(tmp_path / target)
    assert picture.shape == (128, 128, 3)
    assert drawn(picture)
    assert not drawn(opened(tmp_path / name))


def test_a_folder_of_pictures_is_saved_under_the_same_names(edged_in, tmp_path, model):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", (255, 255, 255), width=128, height=128)
    write_picture(tmp_path / "in" / "b.jpg", (0, 0, 0))
    assert edged_in("detect", "in", "-m", model, "--save", "out").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.jpg"]
    assert drawn(opened(tmp_path / "out" / "a.png"))
    assert not drawn(opened(tmp_path / "out" / "b.jpg"))


def test_what_has_one_name_is_saved_under_numbers(edged_in, tmp_path, model):
    for folder in ("in", "other"):
        (tmp_path / folder).mkdir()
    for name in ("in/a.png", "in/a.bmp", "in/a.jpg", "other/A.jpg", "other/b.jpg", "b.jpg"):
        write_picture(tmp_path / name)
    for name in ("in/c.mp4", "other/c.mkv"):
        write_clip(tmp_path / name, [solid_frame(64, 48, (235, 128, 128))] * 2, codec="libx264")
    inputs = ["in", "other/A.jpg", "other/b.jpg", "b.jpg", "in/c.mp4", "other/c.mkv"]
    for _ in range(2):  # a second run writes over what the first one wrote
        done = edged_in("detect", *inputs, "-m", model, "--save", "out")
        assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "A-3.jpg",
        "a-2.jpg",
        "a.jpg",
        "a.png",
        "b-2.jpg",
        "b.jpg",
        "c-2.mp4",
        "c.mp4",
    ]


def test_no_other_input_is_written_over(edged_in, tmp_path, model):
    (tmp_path / "in").mkdir()
    for name in ("in/a.png", "a.png", "b.png"):
        write_picture(tmp_path / name, (255, 255, 255), width=128, height=128)
    before = (tmp_path / "a.png").read_bytes()
    assert edged_in("detect", "in/a.png", "a.png", "-m", model, "--save", ".").returncode == 2
    assert (tmp_path / "a.png").read_bytes() == before
    assert drawn(opened(tmp_path / "a-2.png"))
    assert edged_in("detect", "in", "a.png", "-m", model, "--save", "in").returncode == 2
    assert (tmp_path / "in/a.png").read_bytes() == before
    assert not (tmp_path / "in/a-2.png").exists()


@pytest.mark.parametrize("target", ["seen.mp4", "out"])
def test_a_video_is_saved_with_boxes_in_every_frame(edged_in, tmp_path, model, target):
    write_clip(tmp_path / "a.mkv", [solid_frame(129, 97, (235, 128, 128), "yuv444p")] * 5)
    done = edged_in("detect", "a.mkv", "-m", model, "--save", target)
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / target if target.endswith(".mp4") else tmp_path / target / "a.mp4"
    with av.open(str(path)) as video:
        pictures = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    assert len(pictures) == 5
    assert pictures[0].shape == (96, 128, 3)
    assert all(drawn(picture) for picture in pictures)
    assert [path.name for path in path.parent.iterdir() if ".part" in path.name] == []


@pytest.mark.parametrize(
    ("source", "target"), [("a.png", "a.png"), ("a.png", "."), ("a.mp4", "a.mp4"), ("a.mp4", "."), (".", ".")]
)
def test_what_is_read_is_never_written_over(edged_in, tmp_path, model, source, target):
    write_picture(tmp_path / "a.png")
    write_clip(tmp_path / "a.mp4", [solid_frame(64, 48, (235, 128, 128))] * 2, codec="libx264")
    before = [(tmp_path / name).read_bytes() for name in ("a.png", "a.mp4")]
    line = one_line(edged_in("detect", source, "-m", model, "--json", "--save", target), 2)
    assert "--save" in line
    assert [(tmp_path / name).read_bytes() for name in ("a.png", "a.mp4")] == before


@pytest.mark.parametrize("target", ["seen.avi", "seen.webm", "seen.gif"])
def test_a_format_that_is_not_written_is_wrong_usage_and_makes_no_folder(edged_in, tmp_path, model, target):
    write_clip(tmp_path / "a.mp4", [solid_frame(64, 48, (235, 128, 128))] * 2, codec="libx264")
    line = one_line(edged_in("detect", "a.mp4", "-m", model, "--save", target), 2)
    assert "'.mp4'" in line
    assert not (tmp_path / target).exists()


@pytest.mark.parametrize("name", ["photo", "photo.hdr"])
def test_a_picture_of_another_name_is_saved_as_one(edged_in, tmp_path, model, name):
    """OpenCV writes what is read by its first bytes, whatever it is called."""
    picture = np.full((64, 64, 3), 255, np.uint8)
    _, encoded = cv2.imencode(".hdr" if name.endswith(".hdr") else ".jpg", picture)
    (tmp_path / name).write_bytes(encoded.tobytes())
    done = edged_in("detect", name, "-m", model, "--save", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.jpg"]
    assert opened(tmp_path / "out" / "photo.jpg").shape == (64, 64, 3)


@pytest.mark.parametrize(("source", "target"), [("a.png", "seen.mp4"), ("in", "seen.png")])
def test_a_target_that_does_not_suit_the_input_is_wrong_usage(edged_in, tmp_path, model, source, target):
    write_picture(tmp_path / "a.png")
    (tmp_path / "in").mkdir()
    assert "does not suit" in one_line(edged_in("detect", source, "-m", model, "--save", target), 2)


def test_a_place_that_cannot_be_written_is_one_line_with_its_code(edged_in, tmp_path, model):
    write_picture(tmp_path / "a.png")
    (tmp_path / "file").touch()
    assert "file" in one_line(edged_in("detect", "a.png", "-m", model, "--json", "--save", "file/out"), 74)


def as_any_user() -> list[str]:
    """What starts a program to which permissions apply, even where the tests run as root."""
    if os.name != "posix" or os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv, or another user than root")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


@pytest.fixture
def shell(tmp_path, model):
    """Runs a line of a shell in which ``edged`` is the program and ``$MODEL`` a model."""
    write_picture(tmp_path / "a.png", (255, 255, 255), width=128, height=128)

    def run(line: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
        program = f'edged() {{ "{sys.executable}" -m edged "$@"; }}'
        return subprocess.run(
            ["/bin/sh", "-c", f"{program}\n{line}"],
            cwd=tmp_path,
            env={**os.environ, "MODEL": str(model), **environment},
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        "detect a.png -m $MODEL",
        "detect a.png -m $MODEL --json",
        "model inspect $MODEL",
        "config schema",
        "--version",
    ],
)
def test_an_output_that_is_full_is_one_line_with_its_code(shell, command):
    done = shell(f"edged {command} >/dev/full")
    assert done.returncode == 74
    assert done.stderr.startswith(b"edged: standard output: cannot be written (no space left on device); ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a shell of POSIX")
@pytest.mark.parametrize(
    ("command", "code", "printed"),
    [
        ("detect a.png -m $MODEL", 0, b"a.png #0"),
        ("detect missing.png -m $MODEL", 66, b""),
        ("--version", 0, b"edged "),
        ("config schema", 0, b"{"),
    ],
)
def test_a_standard_error_that_is_closed_is_none_to_a_command(shell, command, code, printed):
    done = shell(f"edged {command} 2>&-")
    assert done.returncode == code
    assert done.stdout.startswith(printed)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such name")
@pytest.mark.parametrize(
    "locale",
    [
        {},
        {"PYTHONIOENCODING": "latin1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["usual", "latin1", "C"],
)
def test_a_name_of_any_signs_is_printed_whatever_the_locale(shell, locale):
    shell(r"cp a.png 日本.png; cp a.png $(printf 'a\377.png')")
    done = shell(r"edged detect 日本.png $(printf 'a\377.png') -m $MODEL --json", **locale)
    assert (done.returncode, done.stderr) == (0, b"")
    names = [json.loads(line)["source"] for line in done.stdout.decode().splitlines()]
    assert names == ["日本.png", r"a\xff.png"]
    done = shell(
        r"cp $MODEL $(printf 'm\377.onnx'); edged model inspect $(printf 'm\377.onnx') --json", **locale
    )
    assert json.loads(done.stdout)["path"] == "m\udcff.onnx"
    for command in (r"detect 日本.png $(printf 'a\377.png') -m $MODEL", "model inspect $MODEL", "doctor"):
        done = shell(f"edged {command}", **locale)
        assert done.returncode != 70
        assert done.stdout
        assert b"a bug" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
@pytest.mark.parametrize(
    "command",
    [
        "detect closed.png -m {model}",
        "detect in/a.png -m {model}",
        "detect a.png -m in/toy.onnx",
        "detect a.png -m closed.onnx",
        "model inspect closed.onnx",
        "model test closed.onnx",
        "model eval {model} closed.csv in",
        "score closed.csv -m {model}",
        "score in/a.csv -m bearing-vibration",
        "score closed.csv -m bearing-vibration",
        "bench -m closed.onnx",
        "run --camera a.png --model in/toy.onnx",
    ],
)
def test_what_this_user_may_not_read_is_one_line_with_its_code(edged_process, tmp_path, model, command):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "in/a.png", "closed.png"):
        write_picture(tmp_path / name)
    for name in ("closed.onnx", "closed.csv"):
        (tmp_path / name).write_bytes(b"1,2\n")
    for name in ("in", "closed.png", "closed.onnx", "closed.csv"):
        (tmp_path / name).chmod(0)
    words = command.format(model=model).split()
    done = edged_process(*words, under=as_any_user())
    (tmp_path / "in").chmod(0o755)
    assert "by this user" in one_line(done, 77)


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_a_configuration_that_may_not_be_read_is_one_line_with_its_code(edged_process, tmp_path):
    """Nor may a supervisor start the daemon again until a person has looked."""
    (tmp_path / "edged.toml").write_text(TOML)
    (tmp_path / "edged.toml").chmod(0)
    for command in ("config check", "config show", "status", "run"):
        done = edged_process(*command.split(), "-c", "edged.toml", under=as_any_user())
        assert "check its permissions" in one_line(done, 78)


def test_a_disk_that_is_full_is_one_line_and_leaves_no_half_video(edged_process, tmp_path, model):
    """A limit on the size of files stands for the full disk."""
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    frames = [av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format="yuv420p") for _ in range(4)]
    write_clip(tmp_path / "a.mkv", frames)
    small_disk = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))"
    )
    done = edged_process("detect", "a.mkv", "-m", model, "--json", "--save", "seen.mp4", before=small_disk)
    assert done.returncode == 74, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "seen.mp4" in done.stderr
    assert not [path.name for path in tmp_path.iterdir() if "seen" in path.name]


def test_a_model_is_described_as_json(edged_in, model):
    done = edged_in("model", "inspect", model, "--json", "--provider", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    described = json.loads(done.stdout)
    assert (described["task"], described["family"], described["labels"]) == (
        "detect",
        "yolov8",
        ["cat", "dog"],
    )
    assert described["provider"] == "cpu"
    assert sum(described["provider_nodes"].values()) > 0
    assert described["digest"].startswith("sha256:")
    assert described["inputs"][0]["shape"] == [1, 3, 64, 64]
    assert described["opsets"] == {"ai.onnx": toy_models.OPSET}


def test_a_model_is_described_for_people(edged_in, model):
    page = edged_in("model", "inspect", model).stdout
    for part in ("yolov8", "cat, dog", "float32 [1, 3, 64, 64]", "letterbox", "sha256:"):
        assert part in page


def test_a_reader_that_goes_away_is_no_error(edged_in, tmp_path, model):
    for number in range(3):
        write_picture(tmp_path / f"{number}.png")
    done = subprocess.run(
        f"{sys.executable} -m edged detect . -m {model} --json | head -n 1",
        shell=True,  # the pipe is the point
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_folder_that_is_read_is_not_written_to_whatever_stands_first(edged_in, tmp_path, model):
    for folder in ("in", "b"):
        (tmp_path / folder).mkdir()
        write_picture(tmp_path / folder / "x.png")
    assert "in is an input, too" in one_line(
        edged_in("detect", "b/x.png", "in", "-m", model, "--save", "in"), 2
    )
    assert [one.name for one in (tmp_path / "in").iterdir()] == ["x.png"]
