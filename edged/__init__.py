"""edged: cameras and sensors in, detections and scores out over MQTT.

Importing this package sets ``ORT_DISABLE_TELEMETRY`` before anything can import ONNX Runtime, which from 1.29 on
reports to its maker by default. Nothing that edged starts may call home.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# NumPy's linear algebra would start a thread a core in each process, which spin for a fifth of a start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Pydantic would look through all that is installed for plugins of its own, and load what it finds.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

__version__ = "0.1.0"
