"""A bare script at rest: one session, some decoders, paho. ``memory.py MODEL PROVIDER DECODERS VIDEO``.

Prints a line when everything is warm, and waits for the end of its standard input.
"""

import sys

import av
import cv2  # noqa: F401
import paho.mqtt.client as paho
import sessions

WARM_FRAMES = 60


def main() -> None:
    model, provider, count, video = sys.argv[1:]
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    session = sessions.tuned(model, provider, threads=1, streams=1)
    for _ in range(3):
        session.run(None, sessions.feeds(session))
    held = []
    for _ in range(int(count)):
        container = av.open(video)
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        frames = container.decode(stream)
        for _ in range(WARM_FRAMES):
            frame = next(frames)
        held.append((container, frames, frame))
    print("ready", flush=True)
    sys.stdin.read()
    del client, held


if __name__ == "__main__":
    main()
