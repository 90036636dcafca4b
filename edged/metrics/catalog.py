"""Every metric of ``/metrics``: its name, its kind, its labels, and what it means. Pure.

Values of labels are names from the configuration or words of a fixed list below. Nothing that a camera, a sensor, a
broker or the file of a model says becomes one, so the number of series is known from the configuration.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

SKIPPED = ("fps", "still", "damaged", "ended", "failed")
"""Why a captured frame was shown to no model."""
DROPPED = ("full", "stale", "unreadable", "failed", "lost", "ended", "unserved")
"""Why a frame that was to be shown to a model has no result."""
SNAPSHOTS_DROPPED = ("full", "rate", "unseen")
"""Why there is no picture of an object."""
WINDOWS_DROPPED = ("full", "failed", "lost")
"""Why a window of rows has no result."""
ROWS_DROPPED = ("gap", "source")
"""Why a readable row never got into a window."""
PROVIDERS = ("cpu", "openvino", "cuda", "tensorrt")
"""What may run a model; its device is not told."""
OTHER = "other"
UPDATE_STATES = ("checked", "offered", "downloading", "staged", "active", "refused", "unreachable")
"""How far the update of a model is."""
UPDATE_CHECKS = ("ok", "refused", "unreachable")
"""What became of asking for updates."""
STAGES = ("queue", "preprocess", "inference", "decode")
"""What a frame goes through one after the other."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One name.

    Attributes:
        name: As exposed; of a counter with ``_total``.
        kind: A counter never falls while edged runs, unless it says so.
        labels: Names of its labels, in order.
        says: What it means, for people: one sentence.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    says: str


def _counter(name: str, labels: str, says: str) -> Metric:
    return Metric(name, "counter", tuple(labels.split()), says)


def _gauge(name: str, labels: str, says: str) -> Metric:
    return Metric(name, "gauge", tuple(labels.split()), says)


def _histogram(name: str, labels: str, says: str) -> Metric:
    return Metric(name, "histogram", tuple(labels.split()), says)


# The process

BUILD = _gauge("edged_build_info", "version python", "1; the versions of edged and of Python.")
START = _gauge("edged_start_time_seconds", "", "When edged was started, in seconds since 1970.")
HEALTHY = _gauge("edged_healthy", "", "1 while `/healthz` answers 200.")
READY = _gauge("edged_ready", "", "1 while `/readyz` answers 200.")
ERRORS = _counter("edged_errors_total", "", "Errors that were kept for `health`; a repeated one counts once.")
CPU = _counter(
    "edged_process_cpu_seconds_total",
    "",
    "Processor time of the daemon, without its workers, user and system.",
)
MEMORY = _gauge(
    "edged_process_resident_memory_bytes", "", "Resident memory of the daemon, without its workers."
)
FDS = _gauge("edged_process_open_fds", "", "Open file descriptors of the daemon.")
THREADS = _gauge("edged_process_threads", "", "Threads of the daemon.")
THREAD_DEATHS = _counter(
    "edged_thread_deaths_total", "", "Threads that an error ended: a bug of edged, with its trace in the log."
)
THREAD_HANGS = _counter(
    "edged_thread_hangs_total", "", "Times a thread did not go on within its bound; the log has its stack."
)

# Cameras

CAMERA_UP = _gauge("edged_camera_up", "camera", "1 while frames come.")
CAMERA_ENABLED = _gauge("edged_camera_enabled", "camera", "0 where it was switched off by command.")
CAPTURED = _counter("edged_camera_frames_captured_total", "camera", "Frames that came from the camera.")
SKIPPED_FRAMES = _counter(
    "edged_camera_frames_skipped_total",
    "camera reason",
    "Frames shown to no model: not chosen by `fps`, `still` (motion gate), `damaged` (cannot be decoded), `ended` "
    "(switched off or taken away before they were due), `failed` (an error broke off reading).",
)
DELIVERED = _counter(
    "edged_camera_frames_delivered_total",
    "camera",
    "Frames that were to be shown to each model of the camera.",
)
INFERRED = _counter(
    "edged_camera_frames_inferred_total", "camera model", "Frames that a model looked at, in time."
)
DROPPED_FRAMES = _counter(
    "edged_camera_frames_dropped_total",
    "camera model reason",
    "Delivered frames without a result: `full` (a newer one came), `stale` (older than `max_age`, before or after it "
    "was looked at), `unreadable` (cannot be prepared), `failed` (no answer), `lost` (processes died over it), `ended` "
    "(its camera or its model was taken away), `unserved` (no version of the model serves).",
)
CAMERA_PUBLISHED = _counter(
    "edged_camera_results_published_total",
    "camera model",
    "Messages made of inferred frames; the others `publish` or `max_rate` kept back.",
)
WITHHELD = _counter(
    "edged_camera_messages_withheld_total",
    "camera kind",
    "Messages that `max_rate` kept back: `detections`, and `updates` of events, which are told later, together.",
)
SNAPSHOTS = _counter("edged_camera_snapshots_total", "camera", "Pictures of objects that were made.")
SNAPSHOTS_LOST = _counter(
    "edged_camera_snapshots_dropped_total",
    "camera reason",
    "Pictures of objects that were not made: `full` (no room for so many), `rate` (more than `snapshots.max_rate`), "
    "`unseen` (it was not known what is to be blurred).",
)
UNDECODABLE = _counter(
    "edged_camera_packets_undecodable_total", "camera", "Packets that no frame could be made of."
)
CAMERA_RECONNECTS = _counter(
    "edged_camera_reconnects_total", "camera", "Times it came back after it was away."
)
CAMERA_STALLS = _counter(
    "edged_camera_stalls_total", "camera", "Times it fell silent, or sent nothing that can be decoded."
)
DECODE_CPU = _counter(
    "edged_camera_decode_cpu_seconds_total",
    "camera",
    "Processor time of its thread: reading, decoding, motion gate.",
)
STAGE = _histogram(
    "edged_frame_stage_seconds",
    "camera model stage",
    "Where the time of an inferred frame went: `queue`, `preprocess`, `inference`, `decode`; of a batch, its share.",
)
AGE = _histogram(
    "edged_frame_age_seconds",
    "camera model",
    "From the capture of an inferred frame to its message in the outbox.",
)

# Sensors

SENSOR_UP = _gauge("edged_sensor_up", "sensor", "1 while rows can come.")
SENSOR_ALARM = _gauge("edged_sensor_alarm", "sensor", "1 while its alarm is up; absent where it tells none.")
ROWS = _counter("edged_sensor_rows_total", "sensor", "Rows that came, the rejected ones among them.")
ROWS_REJECTED = _counter("edged_sensor_rows_rejected_total", "sensor", "Rows that cannot be read.")
LOST_ROWS = _counter(
    "edged_sensor_rows_dropped_total",
    "sensor reason",
    "Rows in no window: `gap` (what came before a gap, or before a model that takes other windows), `source` (more "
    "came than its queue holds).",
)
DELIVERIES_FAILED = _counter(
    "edged_sensor_deliveries_failed_total", "sensor", "Messages or pieces of input lost by a bug of edged."
)
RECEIVED = _counter("edged_sensor_received_bytes_total", "sensor", "Of rows, as they came.")
SENSOR_RECONNECTS = _counter(
    "edged_sensor_reconnects_total", "sensor", "Times it came back after it was away."
)
SENSOR_SILENCES = _counter(
    "edged_sensor_silences_total", "sensor", "Times no row came for longer than `read_timeout`."
)
SCORED = _counter("edged_sensor_windows_scored_total", "sensor model", "Windows that a model scored.")
WINDOWS_WAITING = _gauge("edged_sensor_windows_waiting", "sensor model", "Windows that wait for a model.")
LOST_WINDOWS = _counter(
    "edged_sensor_windows_dropped_total",
    "sensor model reason",
    "Windows without a result: `full` (the oldest, where the source cannot wait), `failed` (no answer), `lost` "
    "(processes died over it).",
)
SENSOR_PUBLISHED = _counter(
    "edged_sensor_results_published_total",
    "sensor model",
    "Scored windows that were published; the others `publish` kept back.",
)

# Models

MODEL_UP = _gauge("edged_model_up", "model", "1 while a process serves it.")
ACTIVE_VERSION = _gauge("edged_model_active_version", "model", "Number of the version that serves; 0 = none.")
MODEL = _gauge(
    "edged_model_info",
    "model provider asked",
    "1; what really runs it (`cpu`, `openvino`, `cuda`, `tensorrt`, else `other`), and the configured providers.",
)
FALLBACK = _gauge(
    "edged_model_provider_fallback", "model", "1 where a provider that was asked for was passed over."
)
CANDIDATE = _gauge("edged_model_candidate", "model", "1 while another version is tried.")
PROBATION = _gauge(
    "edged_model_on_probation", "model", "1 while the serving version may still be taken back."
)
REJECTED = _gauge(
    "edged_model_rejected_versions", "model", "Versions in the store that are not tried again; 20 at most."
)
SWAPS = _counter("edged_model_swaps_total", "model", "Times another version came to serve, forward or back.")
RESTARTS = _counter(
    "edged_model_worker_restarts_total",
    "model",
    "Times a process of it ended by itself, or hung and was ended; another is started then.",
)
INFERENCES = _counter(
    "edged_model_inferences_total",
    "model",
    "Pictures and parts of them, or windows of rows, that were answered.",
)
INFERENCE_TIME = _counter(
    "edged_model_inference_seconds_total", "model", "In the runtime, of all callers together."
)
CALLERS = _gauge("edged_model_callers", "model", "Inferences at once.")
WORKERS = _gauge(
    "edged_worker_processes", "model", "Its processes: serving, previous while at hand, candidate."
)
WORKER_CPU = _counter(
    "edged_worker_cpu_seconds_total",
    "model",
    "Processor time of its processes; what one that ended took since the last scrape is missing.",
)
WORKER_MEMORY = _gauge("edged_worker_resident_memory_bytes", "model", "Resident memory of its processes.")
WORKER_FDS = _gauge("edged_worker_open_fds", "model", "Open file descriptors of its processes.")
WORKER_THREADS = _gauge("edged_worker_threads", "model", "Threads of its processes.")

# Updates from afar; absent while they are off

UPDATE_STATE = _gauge(
    "edged_update_state",
    "model state",
    "1 for the state that the update of the model is in, 0 for the others: `checked`, `offered`, `downloading`, "
    "`staged`, `active`, `refused`, `unreachable`.",
)
UPDATE_VERSION = _gauge(
    "edged_update_version", "model", "Number of the version that its update is about; 0 = none."
)
UPDATE_CHECKED = _counter(
    "edged_update_checks_total", "result", "Times the repository was asked: `ok`, `refused`, `unreachable`."
)
UPDATE_LAST = _gauge(
    "edged_update_last_success_timestamp_seconds",
    "",
    "When the repository was last asked and believed, in seconds since 1970; 0 = not since the start.",
)
UPDATE_BYTES = _counter("edged_update_downloaded_bytes_total", "", "Bytes of models that were downloaded.")

# Broker and outbox

MQTT_UP = _gauge("edged_mqtt_up", "", "1 while the broker has accepted us and answers.")
MQTT_RECONNECTS = _counter(
    "edged_mqtt_reconnects_total", "", "Connections to a broker after the first; one that a reload made, too."
)
WAITING = _gauge("edged_outbox_messages", "", "Messages that wait for the broker.")
WAITING_BYTES = _gauge("edged_outbox_bytes", "", "Of the topics and payloads of those.")
ON_DISK = _gauge("edged_outbox_on_disk", "", "1 while they are kept on disk.")
OUTBOX_DROPPED = _counter(
    "edged_outbox_dropped_total", "", "Messages given up; each is told of on the topic `gap`."
)
SET_ASIDE = _counter("edged_outbox_set_aside_total", "", "Messages that the broker does not take.")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order above."""
