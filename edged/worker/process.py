"""The program of a worker process; its arguments are CONTROL PARENT.

    daemon ── control (JSON, once) ──→ load ──→ journal … ──→ description or error ──→ daemon hands over ring and lanes
    daemon ── lane k: request ──→ slot k is read, inferred, decoded ──→ header and body ──→ daemon

A lane is a socket and a slot, used by one caller at a time and served by one thread. When the control socket closes the
daemon is gone, and so is this process. Nothing here writes to standard output.
"""

import contextlib
import gc
import json
import os
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from edged.allocator import give_memory_back
from edged.errors import EdgedError, ModelRejected
from edged.worker import limits
from edged.worker.description import LoadRequest
from edged.worker.journal import Journal
from edged.worker.starting import AHEAD_S, send_control

REQUEST = struct.Struct("<QI")
"""Number of the request, bytes that follow."""
REPLY = struct.Struct("<QBffI")
"""Number of the request, status, milliseconds of inference and of decoding, bytes that follow."""
FOUND, FAILED = 0, 1
MAX_CONTROL_BYTES = 16 * 1024**2
LATER_S = 10.0
"""So much longer than a daemon keeps this process for a model does it wait for one."""
READ_BYTES = 16 * 1024
"""Of a lane at once: more than all but the largest messages take."""


def receive_control(connection: socket.socket) -> bytes:
    """One length-prefixed message; empty when the other end is gone."""
    head = receive_exactly(connection, 4)
    if not head:
        return b""
    (length,) = struct.unpack("<I", head)
    return receive_exactly(connection, min(length, MAX_CONTROL_BYTES))


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    """``count`` bytes, or none if the other end closed."""
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


def receive_message(connection: socket.socket, head: struct.Struct) -> tuple[tuple[Any, ...], bytes] | None:
    """A head, whose last number says how many bytes follow it, and those; None if the other end closed.

    One read takes both, as far as they have come: on a lane there is one message at a time.
    """
    got = connection.recv(READ_BYTES)
    if len(got) < head.size:
        rest = receive_exactly(connection, head.size - len(got)) if got else b""
        if not rest:
            return None
        got += rest
    fields = head.unpack_from(got)
    body = got[head.size :]
    if len(body) < fields[-1]:
        rest = receive_exactly(connection, fields[-1] - len(body))
        if not rest:
            return None
        body += rest
    return fields, body


def main(arguments: list[str]) -> None:
    """Load the model that the daemon names and answer until the daemon goes."""
    os.dup2(2, 1)
    gc.disable()  # until the model is loaded: looking for garbage takes a tenth of the time
    control_fd, parent = map(int, arguments)
    limits.apply(parent=parent)
    limits.bound_loading()
    _import_rest()
    control = socket.socket(fileno=control_fd)
    request = _await_request(control)
    if request is not None:
        limits.bound_memory(request.max_memory_bytes or limits.default_memory_bytes())
        model = _load(request, control)
        if model is not None:
            limits.loaded()
            gc.freeze()  # what was loaded stays
            gc.enable()
            _serve(model, control, request.callers)
    os._exit(0)  # native libraries may hang in their destructors


def _await_request(control: socket.socket) -> LoadRequest | None:
    """What to load; None where this process is not needed."""
    control.settimeout(AHEAD_S + LATER_S)
    try:
        text = receive_control(control)
    except OSError:
        return None
    control.settimeout(None)
    return LoadRequest.from_json(text) if text else None


def _import_rest() -> None:
    """What loading a model needs, while the daemon makes ready."""
    from edged.inference.providers import runtime  # noqa: PLC0415
    from edged.worker import loading  # noqa: F401, PLC0415

    with contextlib.suppress(EdgedError, MemoryError):  # who needs it says so
        runtime()


def _load(request: LoadRequest, control: socket.socket) -> Any:
    from edged.worker.loading import load_model  # noqa: PLC0415  # see `_import_rest`

    def tell(message: Mapping[str, Any]) -> None:
        text = json.dumps(message).encode()
        if len(text) > MAX_CONTROL_BYTES:
            raise ModelRejected(
                request.path,
                f"says more of itself than {MAX_CONTROL_BYTES >> 20} MiB",
                "export it with shorter names and less metadata",
            )
        send_control(control, text)

    try:
        model = load_model(request, Journal(tell))
        tell({"ready": model.description.to_dict()})
    except EdgedError as error:
        reply: dict[str, Any] = {"error": type(error).__name__, "subject": error.subject}
        reply |= {"problem": error.problem, "remedy": error.remedy}
    except MemoryError:
        reply = {
            "error": "ModelRejected",
            "subject": request.path,
            "problem": f"needs more memory than {request.max_memory_bytes} bytes",
            "remedy": "raise max_memory or use a smaller model",
        }
    else:
        return model
    send_control(control, json.dumps(reply).encode())
    return None


def _serve(model: Any, control: socket.socket, callers: int) -> None:
    from edged.worker.ring import Ring  # noqa: PLC0415  # as above

    _, descriptors, _, _ = socket.recv_fds(control, 1, 1 + callers)
    if not descriptors:
        return
    lanes = [socket.socket(fileno=descriptor) for descriptor in descriptors[1:]]
    description = model.description
    ring = Ring(descriptors[0], callers, description.slot_shape, description.input.dtype)
    for index, lane in enumerate(lanes):
        threading.Thread(
            target=_answer_lane, args=(model, lane, ring.slot(index)), name=f"lane-{index}", daemon=True
        ).start()
    give_memory_back()  # loading leaves much
    receive_control(control)


def _answer_lane(model: Any, lane: socket.socket, tensor: NDArray[Any]) -> None:
    while request := receive_message(lane, REQUEST):
        (number, _), body = request
        try:
            reply = model.serve(tensor, body)
        except Exception as error:  # noqa: BLE001  # whatever it was, the daemon must hear of it and go on
            text = (error.problem if isinstance(error, EdgedError) else repr(error)).encode()[:4096]
            lane.sendall(REPLY.pack(number, FAILED, 0.0, 0.0, len(text)) + text)
            continue
        head = REPLY.pack(number, FOUND, reply.inference_ms, reply.decode_ms, len(reply.body))
        lane.sendall(head + reply.body)
