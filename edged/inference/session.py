"""One ONNX Runtime session: made on the first provider that takes the model, honest about what it really runs on."""

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.errors import InferenceFailed, ModelRejected, RuntimeMissing
from edged.inference.constants import with_constant_weights
from edged.inference.providers import CPU, SHORT_NAMES, Attempt, attempts, runtime
from edged.inference.tuning import Tuning
from edged.machine import cores
from edged.manifest import TensorSpec

_DTYPES = {"float": "float32", "double": "float64", "string": "str", "bfloat16": "bfloat16"}


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """What was asked for and what was got.

    Attributes:
        asked: Names in the order of the configuration.
        chosen: The provider that made the session; others may still run some of its nodes, or all.
        in_use: The provider that runs most nodes: ``openvino:CPU``, ``cpu``, ``cuda:0``.
        nodes: Nodes of the optimised graph by provider, as ONNX Runtime assigned them.
        refused: Why each earlier provider was passed over, a line each.
    """

    asked: tuple[str, ...]
    chosen: str
    in_use: str
    nodes: Mapping[str, int]
    refused: tuple[str, ...]


class Session:
    """A loaded model.

    `run` may be called from as many threads as ``callers`` said.

    Attributes:
        inputs: Declared inputs, without initializers that are listed as inputs.
        outputs: Declared outputs.
        provider: What it really runs on.
        tuning: How it was made.
    """

    def __init__(
        self,
        path: Path,
        *,
        providers: Sequence[str | Tuning],
        require: bool = False,
        threads: int = 0,
        callers: int = 1,
        precision: str = "f32",
        throughput: bool | None = None,
        without: Mapping[str, str] | None = None,
        is_whole: bool = False,
    ) -> None:
        """Load a model from its path: external data must count from the model's folder.

        Args:
            path: The file.
            providers: In order of preference: names, or exactly how to make a session.
            require: Fail rather than run on another than the first.
            threads: Of one inference; 0 = all cores. This and the next three are for those that are only named.
            callers: How many inferences will run at once.
            precision: Of the arithmetic, where the provider lets one choose.
            throughput: Whether inferences a second count, not the wait for one; None = with several callers.
            without: Providers not to try again (``openvino:CPU``), each with what is wrong with it.
            is_whole: Whether the file is known to hold all its weights; those that it lists as inputs become constants.

        Raises:
            ModelRejected: No provider takes it.
            RuntimeMissing: No ONNX Runtime, or ``require`` and its provider is not there.
        """
        self._path = path
        refused = [f"{name}: {reason}" for name, reason in (without or {}).items()]
        how = Tuning("", threads, callers, precision, callers > 1 if throughput is None else throughput)
        wanted = attempts(providers if require else (*providers, "cpu"), how=how)
        constant = with_constant_weights(path) if is_whole else None
        for attempt in itertools.islice(wanted, 1 if require else None):
            if attempt.name in (without or {}):
                continue
            try:
                self._session = _create(constant or str(path), attempt)
                break
            except RuntimeMissing as error:
                if require:
                    raise
                refused.append(f"{error}")
            except Exception as error:  # noqa: BLE001  # the runtime raises a dozen classes, UnicodeDecodeError among them
                refused.append(f"{attempt.name}: {_reason(error, path)}")
        else:
            self._refuse(refused, require=require)
        try:
            self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
            self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        except UnicodeDecodeError as error:
            raise ModelRejected(str(path), "has names that are not UTF-8", "export it again") from error
        self.tuning = attempt.tuning
        asked = tuple(each.provider if isinstance(each, Tuning) else each for each in providers)
        self.provider = self._report(asked, attempt, refused)
        if require and self.provider.in_use != attempt.name:
            self._refuse(self.provider.refused, require=True)
        self._output_names = [output.name for output in self.outputs]

    def _refuse(self, refused: Sequence[str], *, require: bool) -> None:
        name, _, reasons = refused[-1].partition(": ")
        remedy = (
            'install it (apt-get install locales; locale-gen), or export it with locale="C"'
            if "needs the locale" in reasons
            else f"set require_provider = false to let another provider than {name} run it"
            if require
            else "export it again, or for this runtime"
        )
        raise ModelRejected(str(self._path), f"cannot be loaded ({reasons})", remedy)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference.

        Args:
            feeds: An array for each input, of its dtype and shape.

        Returns:
            An array for each output, in the order of the graph.

        Raises:
            InferenceFailed: The runtime raised an error.
        """
        try:
            outputs = self._session.run(self._output_names, dict(feeds))
        except Exception as error:  # see above
            raise InferenceFailed(
                str(self._path), f"inference failed ({_reason(error, self._path)})"
            ) from error
        return [output if isinstance(output, np.ndarray) else _objects(output) for output in outputs]

    def _report(self, asked: tuple[str, ...], attempt: Attempt, refused: Sequence[str]) -> ProviderReport:
        nodes: Counter[str] = Counter()
        for subgraph in self._session.get_provider_graph_assignment_info():
            name = (
                attempt.name
                if subgraph.ep_name == attempt.provider
                else SHORT_NAMES.get(subgraph.ep_name, subgraph.ep_name)
            )
            nodes[name] += len(subgraph.get_nodes())
        in_use = nodes.most_common(1)[0][0] if nodes else SHORT_NAMES[CPU]
        if in_use != attempt.name:  # it made a session and left the work to another
            share = f"took {nodes[attempt.name] or 'none'} of its {nodes.total()} nodes, {in_use} runs most"
            refused = [*refused, f"{attempt.name}: {share}"]
        return ProviderReport(asked, attempt.name, in_use, dict(nodes), tuple(refused))


def _create(model: str | bytes, attempt: Attempt) -> Any:
    options = runtime().SessionOptions()
    options.log_severity_level = 4
    # Of another provider's session these threads run only what that provider left over.
    options.intra_op_num_threads = attempt.tuning.threads or (cores() if attempt.provider == CPU else 1)
    options.inter_op_num_threads = 1
    # Threads that spin between frames burn a core on an idle box.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    providers = attempt.configure(options)
    session = (
        runtime().InferenceSession(model, options, providers=providers)
        if providers
        else (runtime().InferenceSession(model, options))
    )
    session.disable_fallback()
    session._model_bytes = None  # which it keeps for the fallback alone, as long as it lives
    return session


def _objects(sequence: Sequence[Any]) -> NDArray[Any]:
    """A sequence (of maps, of tensors) as an array of objects (N,)."""
    objects = np.empty(len(sequence), object)
    for number, value in enumerate(sequence):
        objects[number] = value
    return objects


def _spec(node: Any) -> TensorSpec:
    inner = str(node.type).removeprefix("tensor(").removesuffix(")")
    return TensorSpec(node.name, tuple(node.shape), _DTYPES.get(inner, inner))


def _reason(error: BaseException, path: Path) -> str:
    """The first useful line of a runtime's error, without its prefix and the path."""
    if locale := re.search(r"construct locale with name:\s*([\w.@-]+?):", str(error)):
        return f"it needs the locale {locale[1]}, which this machine does not have"
    lines = [line.strip() for line in str(error).replace(str(path), path.name).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    text = text.removeprefix(f"Load model from {path.name} failed:")
    text = re.sub(r"^\[OpenVINO-EP\] (/\S+:\d+ - )?", "", text)  # where in its source
    return text if len(text) <= 200 else text[:199] + "…"
