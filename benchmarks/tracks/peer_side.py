"""Runs published ByteTracks over scenes; started by the Python that has them, knows nothing of edged.

Reads {"scenes": [{"frame_rate": R, "frames": [{"at_s": T, "xyxy": [...], "score": [...], "label": [...]}]}]} from
standard input and writes {"NAME VERSION (options)": {"ids": [[[id of each detection], ...], ...], "cpu_s": S,
"frames": F}}; 0 = no id. Labels are tracked apart, for neither implementation looks at them.
"""

import json
import logging
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np

warnings.simplefilter("ignore")
logging.disable()


def main() -> None:
    scenes = json.load(sys.stdin)["scenes"]
    json.dump({name: follow(make, call, scenes) for name, make, call in candidates()}, sys.stdout)


def candidates():
    """Name, maker (of a frame rate), caller (tracker, detections, time) of each that can be imported."""
    try:
        from trackers import ByteTrackTracker
    except ImportError:
        pass
    else:
        name = f"trackers {version('trackers')} ByteTrackTracker"
        for said, options in (
            ("defaults", {}),
            (
                "high 0.4, 2 s",
                {"track_activation_threshold": 0.4, "high_conf_det_threshold": 0.4, "lost_track_buffer": 60},
            ),
        ):
            yield (
                f"{name} ({said})",
                lambda frame_rate, options=options: ByteTrackTracker(frame_rate=frame_rate, **options),
                lambda tracker, found, at_s: tracker.update(found, timestamp=at_s),
            )
    try:
        from supervision import ByteTrack
    except ImportError:
        return
    name = f"supervision {version('supervision')} ByteTrack"
    for said, options in (
        ("defaults", {}),
        (
            "high 0.4, 2 s",
            {"track_activation_threshold": 0.4, "lost_track_buffer": 60, "minimum_consecutive_frames": 2},
        ),
    ):
        yield (
            f"{name} ({said})",
            lambda frame_rate, options=options: ByteTrack(frame_rate=frame_rate, **options),
            lambda tracker, found, at_s: tracker.update_with_detections(found),
        )


def follow(make, call, scenes):
    """All scenes by one implementation."""
    import supervision

    ids, cpu_s, frames = [], 0.0, 0
    for scene in scenes:
        trackers, of_scene = {}, []
        for frame in scene["frames"]:
            xyxy, score = np.array(frame["xyxy"], float).reshape(-1, 4), np.array(frame["score"], float)
            label, of_frame = np.array(frame["label"], int), np.zeros(len(score), int)
            for number in sorted(set(trackers) | set(label.tolist())):
                if number not in trackers:
                    trackers[number] = make(scene["frame_rate"])
                rows = np.flatnonzero(label == number)
                found = supervision.Detections(
                    xyxy[rows], confidence=score[rows], class_id=label[rows], data={"row": rows}
                )
                begun = time.process_time()
                tracked = call(trackers[number], found, frame["at_s"])
                cpu_s += time.process_time() - begun
                for row, given in zip(
                    tracked.data.get("row", ()), tracked.tracker_id if len(tracked) else (), strict=True
                ):
                    of_frame[row] = 0 if given < 0 else 10 * (int(given) + 1) + number
            of_scene.append(of_frame.tolist())
            frames += 1
        ids.append(of_scene)
    return {"ids": ids, "cpu_s": cpu_s, "frames": frames}


if __name__ == "__main__":
    main()
