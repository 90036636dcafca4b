"""What may be imported where: checked in processes of their own, as imports leave traces."""

import subprocess
import sys
from pathlib import Path

import pytest
import toy_models

HIDE = """
import importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def python(
    program: str, *arguments: object, hidden: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python that lacks the hidden packages."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", HIDE.format(names=set(hidden)) + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


FOREIGN = ("onnxruntime", "onnxruntime_ep_openvino", "av", "cv2", "paho", "numpy", "pydantic")


def test_importing_edged_needs_nothing_but_python():
    assert python("import edged, edged.errors, edged.urls", hidden=FOREIGN).stderr == ""


def test_importing_edged_keeps_telemetry_off_whatever_the_environment_says():
    program = (
        "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'\n"
        "import edged; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    assert python(program).stdout == "1\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["config", "schema"]], ids=" ".join
)
def test_commands_that_touch_no_model_work_without_any_runtime(arguments):
    done = python(
        "from edged.cli import main; main()",
        *arguments,
        hidden=("onnxruntime", "onnxruntime_ep_openvino", "av", "cv2"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("broken", [False, True], ids=["absent", "broken"])
def test_what_needs_a_runtime_ends_with_69_and_names_what_to_install(tmp_path, broken):
    """In the process of the model, where the runtime is first needed."""
    model = toy_models.toy_detector(tmp_path / "m.onnx")
    program = (
        "from edged.errors import EdgedError\nfrom edged.worker.model import LoadedModel\n"
        "from edged.worker.description import LoadRequest\n"
        "try:\n    LoadedModel(LoadRequest(path=sys.argv[1]))\n"
        "except EdgedError as error:\n    print(error.exit_code, error)"
    )
    if broken:
        program = "import types; sys.modules['onnxruntime'] = types.ModuleType('onnxruntime')\n" + program
    done = python(program, model, hidden=("onnxruntime", "onnxruntime_ep_openvino"))
    assert done.stdout.startswith("69 ONNX Runtime: "), done.stderr
    assert ("is installed but broken" if broken else "pip install 'edged[openvino]'") in done.stdout


def test_a_command_without_a_runtime_says_the_same_in_one_line(tmp_path):
    model = toy_models.toy_detector(tmp_path / "m.onnx")
    site = tmp_path / "site"
    (site / "onnxruntime").mkdir(parents=True)
    (site / "onnxruntime" / "__init__.py").write_text("raise ImportError('no runtime here')\n")
    done = subprocess.run(
        [sys.executable, "-m", "edged", "model", "inspect", str(model)],
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 69
    assert "digest       sha256:" in done.stdout  # what the file says of itself needs no runtime
    assert len(done.stderr.splitlines()) == 1
    assert "edged[cpu]" in done.stderr


def test_the_daemon_itself_never_loads_onnx_runtime_nor_what_stands_before_it():
    loaded = python("import edged.service.daemon, edged.cli; print(*sys.modules)").stdout.split()
    assert "edged.service.daemon" in loaded
    assert not [
        name for name in loaded if name.startswith(("onnxruntime", "edged.inference", "edged.worker.model"))
    ]


def test_a_daemon_that_starts_loads_nothing_that_only_others_need():
    """Neither what sensors, watchers and askers need, nor what reads a longer command line or the environment."""
    program = (
        "from pathlib import Path\nimport edged.cli, edged.logs, edged.cli.plain, edged.cli.serving as serving\n"
        "edged.logs.configure()\nserving.load_settings(Path(sys.argv[1]))\n"
        "import edged.service.ahead, edged.service.daemon\nprint(*sys.modules)"
    )
    done = python(program, Path(__file__).parents[2] / "configs" / "edged.toml")
    loaded = set(done.stdout.split())
    assert "edged.service.daemon" in loaded, done.stderr
    needless = {"pydantic_settings", "asyncio", "typer", "rich", "watchfiles", "prometheus_client"}
    needless |= {"edged.web", "edged.publisher.rows", "edged.service.sensor_posts", "edged.sources.csvrows"}
    needless |= {"edged.service.following", "edged.tracking", "edged.events"}  # loaded while models are
    assert not needless & loaded


def test_a_worker_loads_nothing_that_only_the_daemon_needs():
    loaded = python("import edged.worker.process, edged.worker.loading; print(*sys.modules)").stdout.split()
    assert "edged.worker.model" in loaded
    assert not {"pydantic", "pydantic_core", "structlog", "rich", "typer", "av", "cv2", "paho"} & set(loaded)


def test_detect_loads_nothing_that_writes_a_log_as_none_was_set_up():
    program = "import edged.cli.detect as detect; detect._import_rest(); print(*sys.modules)"
    loaded = python(program).stdout.split()
    assert "edged.worker.client" in loaded
    assert not {"structlog", "edged.logs", "edged.settings"} & set(loaded)


def test_a_command_loads_neither_the_others_nor_what_logs_could_use():
    program = "from edged.cli import program; program('run'); print(*sys.modules)"
    loaded = python(program).stdout.split()
    assert "edged.cli.run" in loaded
    assert not {"edged.cli.detect", "edged.cli.model", "edged.cli.benching", "rich"} & set(loaded)


@pytest.mark.parametrize("providers", [("cpu",), ("openvino", "cpu")], ids=" ".join)
def test_a_plugin_is_loaded_only_where_another_provider_than_cpu_was_asked_for(tmp_path, providers):
    model = toy_models.toy_detector(tmp_path / "m.onnx")
    program = (
        "from edged.worker.model import LoadedModel\nfrom edged.worker.description import LoadRequest\n"
        "from edged.inference import providers\n"
        "LoadedModel(LoadRequest(path=sys.argv[1], providers=tuple(sys.argv[2:])))\n"
        "print(providers._register_plugin.cache_info().misses)"
    )
    done = python(program, model, *providers)
    assert done.stdout == f"{int(providers != ('cpu',))}\n", done.stderr


def test_the_package_says_that_it_is_typed():
    assert (Path(toy_models.edged.__file__).parent / "py.typed").is_file()
