"""YOLOX before and after the network, as a competent user writes it: OpenCV and NumPy."""

import json

import cv2
import numpy as np

SIDE, MIN_SCORE, IOU = 416, 0.25, 0.45
STRIDES = (8, 16, 32)


class Yolox:
    """What is computed once."""

    def __init__(self, side: int = SIDE) -> None:
        self._side = side
        self._canvas = np.full((side, side, 3), 114, np.uint8)
        self._tensor = np.empty((1, 3, side, side), np.float32)
        cells, strides = [], []
        for stride in STRIDES:
            count = side // stride
            y, x = np.divmod(np.arange(count * count), count)
            cells.append(np.column_stack([x, y]))
            strides.append(np.full((count * count, 1), stride))
        self._cells = np.concatenate(cells).astype(np.float32)
        self._strides = np.concatenate(strides).astype(np.float32)

    def prepare(self, bgr: np.ndarray) -> tuple[np.ndarray, float]:
        """The tensor, and the scale of the letterbox."""
        height, width = bgr.shape[:2]
        scale = min(self._side / height, self._side / width)
        resized = cv2.resize(bgr, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_LINEAR)
        self._canvas[: resized.shape[0], : resized.shape[1]] = resized
        np.copyto(self._tensor[0], self._canvas.transpose(2, 0, 1))
        return self._tensor, scale

    def found(self, output: np.ndarray, scale: float) -> list[dict[str, object]]:
        """The objects in pixels of the frame."""
        rows = output[0]
        best = rows[:, 4] >= MIN_SCORE
        rows, cells, strides = rows[best], self._cells[best], self._strides[best]
        class_ids = rows[:, 5:].argmax(axis=1)
        scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + class_ids]
        centres, sizes = (rows[:, :2] + cells) * strides, np.exp(rows[:, 2:4]) * strides
        xywh = np.concatenate([centres - sizes / 2, sizes], axis=1) / scale
        kept = cv2.dnn.NMSBoxesBatched(xywh.tolist(), scores.tolist(), class_ids.tolist(), MIN_SCORE, IOU)
        return [
            {
                "class_id": int(class_ids[index]),
                "score": round(float(scores[index]), 4),
                "box": [round(float(value), 2) for value in xywh[index]],
            }
            for index in kept
        ]


def message(number: int, found: list[dict[str, object]]) -> bytes:
    """The result of a frame."""
    return json.dumps({"frame": number, "detections": found}).encode()
