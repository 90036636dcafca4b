"""The bare session, as somebody makes it who knows ONNX Runtime: nothing of edged in it."""

import json
import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime

OPENVINO = "OpenVINOExecutionProvider"
IN_WHEEL = OPENVINO in onnxruntime.get_available_providers()
"""The older wheel, which has the provider in itself."""


def openvino_device() -> object:
    """The plugin's CPU device.

    Raises:
        SystemExit: It is not here, or refuses this processor.
    """
    try:
        import onnxruntime_ep_openvino as plugin
    except ImportError:
        raise SystemExit("the OpenVINO plugin is not installed") from None
    onnxruntime.register_execution_provider_library(plugin.get_ep_name(), plugin.get_library_path())
    for device in onnxruntime.get_ep_devices():
        if device.ep_name == OPENVINO and device.ep_metadata.get("ov_device") == "CPU":
            return device
    raise SystemExit("the OpenVINO plugin offers no CPU device here (it accepts Intel processors only)")


def default(path: str, provider: str) -> onnxruntime.InferenceSession:
    """As a loop has it that somebody writes: no option set but the provider."""
    if provider == "cpu":
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    if IN_WHEEL:
        return onnxruntime.InferenceSession(path, providers=[(OPENVINO, {"device_type": "CPU"})])
    options = onnxruntime.SessionOptions()
    options.add_provider_for_devices([openvino_device()], {})
    return onnxruntime.InferenceSession(path, options)


def tuned(path: str, provider: str, *, threads: int, streams: int) -> onnxruntime.InferenceSession:
    """Threads that do not spin, as many as said, in float32."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if provider == "cpu":
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    config = {
        "PERFORMANCE_HINT": "THROUGHPUT" if streams > 1 else "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(threads * streams),
    }
    loaded = {"load_config": json.dumps({"CPU": config})}
    if IN_WHEEL:
        given = [(OPENVINO, {"device_type": "CPU", **loaded})]
        return onnxruntime.InferenceSession(path, options, providers=given)
    options.add_provider_for_devices([openvino_device()], loaded)
    return onnxruntime.InferenceSession(path, options)


def feeds(session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    """Noise of the model's shape; an open side is 1 (batch), 3 (channels) or 640."""
    spec = session.get_inputs()[0]
    shape = [
        side if isinstance(side, int) else usual
        for side, usual in zip(spec.shape, (1, 3, 640, 640), strict=True)
    ]
    dtype = {"tensor(float)": np.float32, "tensor(float16)": np.float16}[spec.type]
    return {spec.name: (np.random.default_rng(1).random(shape) * 255).astype(dtype)}
