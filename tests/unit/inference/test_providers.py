import json
import re
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
import toy_models

from edged.errors import ModelRejected, RuntimeMissing
from edged.inference import providers, session
from edged.inference.providers import CPU, CUDA, OPENVINO, TENSORRT, attempts, package_clash
from edged.inference.session import Session
from edged.inference.tuning import Tuning


@pytest.fixture
def packages(monkeypatch):
    """Has only the named packages installed."""

    def installed(*names: str) -> None:
        monkeypatch.setattr(
            providers, "installed", lambda asked: {name: "1.32.0" for name in asked if name in names}
        )

    return installed


@pytest.fixture
def runtime(monkeypatch):
    """Has a runtime that offers only these providers, and these plugin devices."""

    def offers(*builtin: str, plugin: tuple[str, ...] = ()) -> None:
        class Runtime:
            @staticmethod
            def get_available_providers() -> list[str]:
                return list(builtin)

        monkeypatch.setattr(providers, "runtime", Runtime)
        providers.built_in.cache_clear()
        monkeypatch.setattr(providers, "_plugin_devices", lambda kind: [object()] if kind in plugin else [])

    yield offers
    providers.built_in.cache_clear()


def names(*requested: str) -> list[str]:
    return [attempt.name for attempt in attempts(requested, how=Tuning())]


def test_one_runtime_package_is_no_clash(packages):
    for installed in ((), ("onnxruntime",), ("onnxruntime", "onnxruntime-ep-openvino"), ("onnxruntime-gpu",)):
        packages(*installed)
        assert package_clash() is None


@pytest.mark.parametrize(
    "pair", [("onnxruntime", "onnxruntime-openvino"), ("onnxruntime", "onnxruntime-gpu")]
)
def test_two_runtime_packages_are_a_clash_and_the_remedy_names_both(packages, pair):
    packages(*pair)
    clash = package_clash()
    assert clash is not None
    assert f"pip uninstall {' '.join(pair)}" in clash
    assert "edged[openvino]" in clash


def test_versions_are_told_without_importing_anything(packages):
    packages("onnxruntime", "onnxruntime-ep-openvino")
    assert providers.installed_packages() == {"onnxruntime": "1.32.0", "onnxruntime-ep-openvino": "1.32.0"}


@pytest.mark.parametrize(
    ("builtin", "plugin", "order"),
    [
        ((CPU,), (), ["cpu"]),
        ((CPU,), ("CPU",), ["openvino:CPU", "cpu"]),
        ((OPENVINO, CPU), (), ["openvino:CPU", "cpu"]),
        ((TENSORRT, CUDA, CPU), (), ["cuda:0", "cpu"]),
        ((CUDA, CPU), ("CPU",), ["cuda:0", "openvino:CPU", "cpu"]),
    ],
    ids=["cpu", "plugin", "wheel", "cuda", "both"],
)
def test_auto_tries_the_fastest_that_is_there_first_and_the_cpu_last(runtime, builtin, plugin, order):
    runtime(*builtin, plugin=plugin)
    assert names("auto") == order


def test_providers_are_tried_in_the_order_asked_for_and_each_once(runtime):
    runtime(CPU, plugin=("CPU",))
    assert names("openvino:GPU", "auto", "cpu", "cuda:1") == ["openvino:GPU", "openvino:CPU", "cpu", "cuda:1"]


@pytest.mark.parametrize(
    ("name", "installed", "said"),
    [
        ("cuda", ("onnxruntime",), r"pip install 'edged\[cuda\]'"),
        ("tensorrt", ("onnxruntime",), "is not in this installation"),
        ("openvino", ("onnxruntime",), r"pip install 'edged\[openvino\]'"),
        ("openvino", ("onnxruntime", "onnxruntime-ep-openvino"), "offers no CPU device here"),
        ("openvino:GPU", ("onnxruntime", "onnxruntime-ep-openvino"), "finds no GPU on this machine"),
    ],
)
def test_a_provider_that_is_not_here_says_why_and_what_to_do(runtime, packages, name, installed, said):
    runtime(CPU)
    packages(*installed)
    (attempt,) = attempts([name], how=Tuning())
    with pytest.raises(RuntimeMissing, match=said):
        attempt.configure(None)


def told(name: str, how: Tuning) -> dict[str, str]:
    """What OpenVINO is told of a device."""
    (attempt,) = attempts([name], how=how)
    ((provider, options),) = attempt.configure(None) or []
    assert provider == OPENVINO
    assert options["device_type"] == attempt.name.partition(":")[2]
    (config,) = json.loads(options["load_config"]).values()
    return dict(config)


def test_the_wheel_is_told_the_device_and_computes_in_full_precision(runtime):
    runtime(OPENVINO, CPU)
    assert told("openvino", Tuning(callers=2, throughput=True)) == {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": "2",
    }


def test_openvino_is_told_threads_for_all_callers_the_precision_and_whether_it_may_use_integers(runtime):
    runtime(OPENVINO, CPU)
    assert told("openvino", Tuning(threads=2, callers=3, precision="bf16", integers=False)) == {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16",
        "LP_TRANSFORMS_MODE": "NO",
        "INFERENCE_NUM_THREADS": "6",
        "NUM_STREAMS": "3",
    }
    assert told("openvino:GPU", Tuning(threads=2)) == {
        "PERFORMANCE_HINT": "LATENCY"
    }  # it has no threads of ours
    assert told("openvino:GPU", Tuning(precision="f16"))["INFERENCE_PRECISION_HINT"] == "f16"


def test_a_plugin_is_not_loaded_where_an_earlier_way_works(model, monkeypatch):
    def load_plugin(_kind: str) -> list[object]:
        raise AssertionError("the plugin was loaded")

    monkeypatch.setattr(providers, "_plugin_devices", load_plugin)
    assert Session(model, providers=[Tuning("cpu", threads=1), "auto"]).provider.in_use == "cpu"


@pytest.fixture
def listed_plugin(monkeypatch):
    """A runtime that counts the plugin's provider among its own from its registration on, as 1.32 does."""
    listed = [CPU]

    class Device:
        ep_name = OPENVINO
        ep_metadata = MappingProxyType({"ov_device": "CPU"})
        device = SimpleNamespace(type=SimpleNamespace(name="CPU"))

    class Runtime:
        def get_available_providers(self) -> list[str]:
            return list(listed)

        def register_execution_provider_library(self, _name: str, _path: str) -> None:
            listed.append(OPENVINO)

        def get_ep_devices(self) -> list[object]:
            return [Device]

    class Plugin:
        get_ep_name = staticmethod(lambda: OPENVINO)
        get_library_path = staticmethod(lambda: "libplugin.so")

    fake = Runtime()
    monkeypatch.setattr(providers, "runtime", lambda: fake)
    monkeypatch.setattr(providers, "import_module", lambda _name: Plugin)
    caches = providers.built_in, providers._register_plugin
    for cached in caches:
        cached.cache_clear()
    yield Device
    for cached in caches:
        cached.cache_clear()


def test_every_session_of_a_process_gets_the_plugins_device_not_only_the_first(listed_plugin):
    """By the plain name, which the runtime lists once the plugin is there, it would leave all to the CPU provider."""

    class Options:
        def __init__(self) -> None:
            self.devices: list[object] = []

        def add_provider_for_devices(self, devices: list[object], _config: dict[str, str]) -> None:
            self.devices += devices

    assert providers.automatic() == ["openvino:CPU", "cpu"]
    for _ in range(3):
        [attempt] = attempts(["openvino"], how=Tuning())
        options = Options()
        assert attempt.configure(options) is None
        assert options.devices == [listed_plugin]
    assert providers.available() == ("openvino:CPU", "cpu")


def test_an_exact_way_goes_before_the_same_provider_by_name(runtime):
    runtime(OPENVINO, CPU)
    exact = Tuning("cpu", threads=2)
    found = attempts([exact, "auto", "cpu"], how=Tuning(threads=7))
    assert [attempt.tuning for attempt in found] == [exact, Tuning("openvino:CPU", threads=7)]


@pytest.fixture
def model(tmp_path):
    return toy_models.toy_detector(tmp_path / "m.onnx")


@pytest.fixture
def no_cuda(packages):
    """CUDA is never here in tests, whatever is installed."""
    packages("onnxruntime")


def test_what_a_session_runs_on_is_read_back_from_it(model):
    made = Session(model, providers=["cpu"])
    assert made.provider.in_use == "cpu"
    assert made.provider.nodes["cpu"] > 0
    assert made.provider.refused == ()
    assert [(spec.name, spec.shape, spec.dtype) for spec in made.inputs] == [
        ("images", (1, 3, 64, 64), "float32")
    ]


@pytest.mark.usefixtures("no_cuda")
def test_a_session_falls_back_with_one_clear_reason(model):
    made = Session(model, providers=["cuda"])
    assert made.provider.asked == ("cuda",)
    assert made.provider.in_use == "cpu"
    (reason,) = made.provider.refused
    assert reason.startswith("cuda: is not in this installation")
    assert "\n" not in reason


@pytest.mark.usefixtures("no_cuda")
def test_a_required_provider_that_is_not_here_is_an_error_instead(model):
    with pytest.raises(RuntimeMissing, match="cuda: is not in this installation"):
        Session(model, providers=["cuda", "cpu"], require=True)


def test_a_provider_that_takes_none_of_the_nodes_is_named_as_passed_over(model, monkeypatch):
    """As a plugin does with operators that it does not know: the session is made, and runs elsewhere."""
    idle = providers.Attempt(Tuning("openvino:CPU"), OPENVINO, lambda _options: [(CPU, {})])
    real = attempts
    monkeypatch.setattr(
        session,
        "attempts",
        lambda requested, how: ([idle, *(real(["cpu"], how=how) if "cpu" in requested else [])]),
    )
    made = Session(model, providers=["openvino"])
    assert made.provider.in_use == "cpu"
    (reason,) = made.provider.refused
    assert re.fullmatch(r"openvino:CPU: took none of its \d+ nodes, cpu runs most", reason)
    with pytest.raises(ModelRejected, match=r"took none of its .*require_provider = false"):
        Session(model, providers=["openvino"], require=True)


def test_a_model_that_no_provider_takes_is_rejected_in_one_line_that_names_it(tmp_path):
    path = toy_models.save_model(
        tmp_path / "odd.onnx",
        [toy_models.node("NoSuchOperator", ["images"], ["out"])],
        outputs={"out": (1, 3, 64, 64)},
    )
    with pytest.raises(ModelRejected, match="cannot be loaded") as rejected:
        Session(path, providers=["cpu"])
    assert str(path) in str(rejected.value)
    assert "NoSuchOperator" in str(rejected.value)
    assert "\n" not in str(rejected.value)


def test_a_session_says_how_it_was_made(model):
    assert Session(model, providers=["cpu"], threads=2).tuning == Tuning("cpu", threads=2)
    assert Session(model, providers=["cpu"], callers=2).tuning.throughput
    exact = Tuning("cpu", threads=1, callers=2)
    assert Session(model, providers=[exact, "cpu"], threads=4).tuning == exact


def test_the_answer_is_that_of_the_model(model):
    made = Session(model, providers=["cpu"])
    (table,) = made.run({"images": np.zeros((1, 3, 64, 64), np.float32)})
    assert np.array_equal(table, toy_models.yolov8_table((toy_models.CAT,)))


def test_one_process_makes_session_after_session_on_openvino(model):
    if "openvino:CPU" not in providers.available():
        pytest.skip("OpenVINO is not in this installation, or refuses this processor")
    for threads in (1, 2):
        made = Session(model, providers=[Tuning("openvino:CPU", threads=threads)], require=True)
        assert made.provider.in_use == "openvino:CPU"
