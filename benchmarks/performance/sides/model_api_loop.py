"""`openvino-model-api` as its documentation has it: the YOLOX wrapper in its asynchronous pipeline; a message a frame.

``model_api_loop.py VIDEO MODEL BROKER_PORT TOPIC``, in an environment of its own (see ``peers.py``).
"""

import json
import sys

import cv2
import numpy as np
import publishing
from model_api.adapters import OpenvinoAdapter, create_core
from model_api.models import YOLOX
from model_api.pipelines import AsyncPipeline


class Yolox(YOLOX):
    """The wrapper of 0.4.7 has resizing done in the graph, and then misses the scale that it reads boxes with."""

    def base_preprocess(self, inputs: np.ndarray) -> tuple[dict, dict]:
        """As the wrapper has it, and the scale."""
        given, meta = super().base_preprocess(inputs)
        height, width = inputs.shape[:2]
        meta.setdefault("scale", min(self.w / width, self.h / height))
        return given, meta


OPTIONS = {
    "confidence_threshold": 0.25,
    "iou_threshold": 0.45,
    "agnostic_nms": False,
    "resize_type": "fit_to_window",
    "pad_value": 114,
}


def main() -> None:
    video, path, port, topic = sys.argv[1:]
    client = publishing.connected(int(port))
    adapter = OpenvinoAdapter(create_core(), path, device="CPU", max_num_requests=0)
    model = Yolox(adapter, OPTIONS, preload=False)
    pipeline = AsyncPipeline(model)
    last = None

    def publish(number: int) -> bool:
        nonlocal last
        result = pipeline.get_result(number)
        if not result:
            return False
        seen = result[0]
        found = [
            {"class_id": int(label), "score": round(float(score), 4), "box": [int(value) for value in box]}
            for label, score, box in zip(seen.labels, seen.scores, seen.bboxes, strict=True)
        ]
        last = client.publish(topic, json.dumps({"frame": number, "detections": found}).encode(), qos=1)
        return True

    capture = cv2.VideoCapture(video)
    submitted = told = 0
    while True:
        if publish(told):
            told += 1
            continue
        if pipeline.is_ready():
            more, frame = capture.read()
            if not more:
                break
            pipeline.submit_data(frame, submitted)
            submitted += 1
        else:
            pipeline.await_any()
    pipeline.await_all()
    while told < submitted and publish(told):
        told += 1
    publishing.finish(client, last)


if __name__ == "__main__":
    main()
