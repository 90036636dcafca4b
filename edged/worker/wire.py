"""How answers and rows travel between the daemon and a worker: bytes in, records out, and the other way round. Pure.

A picture, and the numbers of rows, stand in shared memory (`edged.worker.ring`); what is here goes over a lane's
socket.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections
from edged.rows import ScoreKind, Scores

Texts = Sequence[tuple[tuple[str, ...], ...]]
"""For each window its rows' texts."""

_BOX_BYTES = 24
_PICTURES = struct.Struct("<II")
_ROWS = struct.Struct("<II")
"""Windows, and rows of each; their texts follow as JSON, where there are any."""
_SCORES = struct.Struct("<B3xIII")
"""Kind, windows, columns, bytes of the matrix, which begins at a multiple of 8; JSON follows it, where it is needed."""
_KINDS: tuple[ScoreKind, ...] = ("class", "value", "anomaly", "outputs")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model replied to one request.

    Attributes:
        inference_ms: In the runtime.
        decode_ms: From its outputs to what is in the body.
        body: As one of the functions here packed it.
    """

    inference_ms: float
    decode_ms: float
    body: bytes


def pack_detections(found: Detections) -> bytes:
    """24 bytes a box: x1, y1, x2, y2, score as float32, class_id as int32."""
    if not len(found):
        return b""
    rows = np.empty((len(found), 6), np.float32)
    rows[:, :4], rows[:, 4] = found.xyxy, found.score
    rows.view(np.int32)[:, 5] = found.class_id
    return rows.tobytes()


def unpack_detections(body: bytes) -> Detections:
    """What `pack_detections` packed."""
    if not body:
        return Detections.empty()
    rows = np.frombuffer(body, np.float32).reshape(-1, 6)
    return Detections(rows[:, :4], rows[:, 4], rows.view(np.int32)[:, 5])


def pack_pictures(first: int, count: int) -> bytes:
    """What is asked about the pictures in shared memory: which is the first of them, and how many."""
    return _PICTURES.pack(first, count)


def unpack_pictures(body: bytes) -> tuple[int, int]:
    """What `pack_pictures` packed: first, count."""
    first, count = _PICTURES.unpack(body)
    return first, count


def pack_answers(found: Sequence[Detections]) -> bytes:
    """How many boxes each picture has, then their boxes as `pack_detections` packs them."""
    counts = struct.pack(f"<{len(found)}I", *map(len, found))
    return counts + b"".join(map(pack_detections, found))


def unpack_answers(body: bytes, count: int) -> list[Detections]:
    """What `pack_answers` packed of ``count`` pictures."""
    head = f"<{count}I"
    ends = [*accumulate(struct.unpack_from(head, body), initial=0)]
    boxes = body[struct.calcsize(head) :]
    return [unpack_detections(boxes[start * _BOX_BYTES : end * _BOX_BYTES]) for start, end in pairwise(ends)]


def pack_request(windows: int, rows: int, texts: Texts = ()) -> bytes:
    """What is asked about the numbers in shared memory: how many windows of how many rows, and their texts."""
    return _ROWS.pack(windows, rows) + (json.dumps(texts).encode() if texts else b"")


def unpack_request(body: bytes) -> tuple[int, int, list[list[list[str]]]]:
    """What `pack_request` packed: windows, rows of each, texts."""
    windows, rows = _ROWS.unpack_from(body)
    return windows, rows, json.loads(body[_ROWS.size :]) if len(body) > _ROWS.size else []


def pack_scores(scores: Scores) -> bytes:
    """The numbers as one matrix of float64 (N, K), what is no number as JSON behind it."""
    matrix, rest = np.zeros((len(scores), 0)), b""
    if scores.kind == "class":
        matrix = np.column_stack([scores.class_id, scores.scores])
        rest = json.dumps(list(scores.names)).encode() if len(scores.names) else b""
    elif scores.kind == "value":
        matrix = scores.values
    elif scores.kind == "anomaly":
        matrix = np.column_stack([scores.anomaly, scores.values])
    else:
        rest = json.dumps(list(scores.outputs)).encode()
    numbers = np.ascontiguousarray(matrix, np.float64).tobytes()
    head = _SCORES.pack(_KINDS.index(scores.kind), len(scores), matrix.shape[1], len(numbers))
    return head + numbers + rest


def unpack_scores(body: bytes) -> Scores:
    """What `pack_scores` packed."""
    kind, windows, columns, size = _SCORES.unpack_from(body)
    matrix: NDArray[np.float64] = np.frombuffer(body, np.float64, windows * columns, _SCORES.size)
    matrix = matrix.reshape(windows, columns)
    rest: Any = json.loads(body[_SCORES.size + size :]) if len(body) > _SCORES.size + size else ()
    name = _KINDS[kind]
    if name == "class":
        scores = matrix[:, 1:].astype(np.float32)
        return Scores("class", class_id=matrix[:, 0].astype(np.int32), scores=scores, names=rest)
    if name == "value":
        return Scores("value", values=matrix)
    if name == "anomaly":
        return Scores("anomaly", anomaly=matrix[:, 0] != 0, values=matrix[:, 1:])
    return Scores("outputs", outputs=rest)
