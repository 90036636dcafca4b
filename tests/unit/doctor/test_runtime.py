from collections.abc import Iterable

from edged.doctor.findings import Finding
from edged.doctor.runtime import RuntimeFacts, findings, provider_findings
from edged.sections import ModelSettings

INTEL, AMD = "Intel(R) Xeon(R) CPU", "AMD EPYC 7B13"
PLUGIN = {"onnxruntime": "1.32.0", "onnxruntime-ep-openvino": "1.8.1"}


def kinds_of(found: Iterable[Finding]) -> list[str]:
    return [one.kind for one in found]


def one(found: Iterable[Finding], kind: str) -> Finding:
    (only,) = [finding for finding in found if finding.kind == kind]
    return only


def test_a_good_installation_is_said_to_be_one() -> None:
    facts = RuntimeFacts(PLUGIN, INTEL, version="1.32.0", available=("openvino:CPU", "cpu"))
    assert kinds_of(findings(facts)) == ["runtime", "telemetry-off"]


def test_two_wheels_at_once_are_taken_away_and_one_is_installed() -> None:
    both = {"onnxruntime": "1.32.0", "onnxruntime-openvino": "1.24.1"}
    found = one(findings(RuntimeFacts(both, INTEL, broken="is installed but broken")), "runtime-clash")
    assert found.exit_code == 78
    assert found.remedy == (
        "pip uninstall -y onnxruntime onnxruntime-openvino && pip install 'edged[openvino]'"
    )
    other = one(findings(RuntimeFacts(both, AMD)), "runtime-clash")
    assert other.remedy.endswith("pip install 'edged[openvino-wheel]'")
    gpu = {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.24.0"}
    assert one(findings(RuntimeFacts(gpu, INTEL)), "runtime-clash").remedy.endswith("'edged[cuda]'")


def test_a_missing_runtime_names_the_extra_that_fits_the_processor() -> None:
    (found,) = findings(RuntimeFacts({}, AMD))
    assert (found.kind, found.remedy) == ("runtime-missing", "pip install 'edged[cpu]'")
    (found,) = findings(RuntimeFacts({}, INTEL))
    assert found.remedy == "pip install 'edged[openvino]'"


def test_a_runtime_that_kills_who_asks_it_is_broken() -> None:
    facts = RuntimeFacts({"onnxruntime": "1.32.0"}, INTEL, ended="the process that asked ended with SIGSEGV")
    found = one(findings(facts), "runtime-broken")
    assert "SIGSEGV" in found.seen
    assert found.remedy == "pip install --force-reinstall --no-deps onnxruntime"
    assert kinds_of(provider_findings(facts, {})) == []


def test_a_runtime_that_had_no_time_to_answer_is_not_called_broken() -> None:
    facts = RuntimeFacts({"onnxruntime": "1.32.0"}, INTEL, ended="no answer", late=True)
    assert kinds_of(findings(facts)) == ["runtime-unknown"]


def test_telemetry_that_edged_cannot_switch_off_is_an_error() -> None:
    facts = RuntimeFacts(PLUGIN, INTEL, version="1.32.0", early=True, site="/venv/site-packages")
    found = one(findings(facts), "telemetry-on")
    assert found.exit_code == 78
    assert "/venv/site-packages" in found.remedy


def test_packages_that_report_and_the_mark_they_leave_are_named() -> None:
    packages = PLUGIN | {"openvino-telemetry": "2025.1", "openvino": "2025.1"}
    facts = RuntimeFacts(packages, INTEL, version="1.32.0", trace="/home/joe/deviceid")
    found = list(findings(facts))
    assert one(found, "telemetry-package").remedy == "pip uninstall -y openvino-telemetry openvino"
    assert "rm /home/joe/deviceid" in one(found, "telemetry-trace").remedy


def test_a_provider_that_is_not_there_falls_back_or_does_not() -> None:
    facts = RuntimeFacts(
        {"onnxruntime": "1.32.0"},
        INTEL,
        version="1.32.0",
        available=("cpu",),
        refused={"cuda": ("is not in this installation", "pip install 'edged[cuda]'")},
    )
    models = {
        "falls": ModelSettings(providers=("cuda", "cpu")),
        "must": ModelSettings(providers=("cuda", "cpu"), require_provider=True),
        "alone": ModelSettings(providers=("cuda",)),
        "fine": ModelSettings(providers=("cpu",)),
    }
    found = {finding.subject: finding for finding in provider_findings(facts, models)}
    assert found["models.falls.providers"].kind == "provider-missing"
    assert found["models.falls.providers"].remedy == "pip install 'edged[cuda]'"
    assert found["models.must.providers"].kind == "provider-required"
    assert found["models.alone.providers"].kind == "provider-required"
    assert "models.fine.providers" not in found


def test_openvino_is_not_recommended_as_a_plugin_on_other_processors_than_intels() -> None:
    refusal = ("is not in this installation", "pip install 'edged[openvino]'")
    facts = RuntimeFacts(
        {"onnxruntime": "1.32.0"}, AMD, version="1.32.0", available=("cpu",), refused={"openvino": refusal}
    )
    models = {"m": ModelSettings(providers=("openvino", "cpu"))}
    found = one(provider_findings(facts, models), "provider-missing")
    assert "Intel processors only" in found.seen
    assert AMD in found.seen
    assert "'edged[openvino-wheel]'" in found.remedy
    assert "'edged[openvino]'" not in found.remedy


def test_the_openvino_plugin_on_an_amd_processor_says_which_processor_this_is() -> None:
    refusal = ("the plugin offers no CPU device here (it accepts Intel processors only)", "use cpu")
    facts = RuntimeFacts(PLUGIN, AMD, version="1.32.0", refused={"openvino:CPU": refusal})
    models = {"m": ModelSettings(providers=("openvino:CPU",))}
    assert AMD in one(provider_findings(facts, models), "provider-required").seen


def test_a_clash_that_broke_the_runtime_has_one_remedy_and_not_two() -> None:
    both = {"onnxruntime": "1.32.0", "onnxruntime-openvino": "1.24.1"}
    facts = RuntimeFacts(both, INTEL, broken="is installed but broken")
    (found,) = findings(facts)
    assert found.kind == "runtime-clash"
    assert "is installed but broken" in found.seen
    assert list(provider_findings(facts, {})) == []
