"""The loop that a user writes: OpenCV capture, default session, OpenCV's NMS, paho; a message a frame.

``loop.py VIDEO MODEL PROVIDER BROKER_PORT TOPIC [--fps F]``; with ``--fps`` frames between those that are looked at are
grabbed and not converted.
"""

import argparse

import cv2
import publishing
import sessions
import yolox


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("video")
    parser.add_argument("model")
    parser.add_argument("provider")
    parser.add_argument("port", type=int)
    parser.add_argument("topic")
    parser.add_argument("--fps", type=float, default=0.0)
    options = parser.parse_args()
    client = publishing.connected(options.port)
    session = sessions.default(options.model, options.provider)
    name, model = session.get_inputs()[0].name, yolox.Yolox()
    capture = cv2.VideoCapture(options.video)
    step = 1 / options.fps if options.fps else 0.0
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    number, due, last = 0, 0.0, None
    while capture.grab():
        if number / rate >= due - 1e-6:
            due += step
            tensor, scale = model.prepare(capture.retrieve()[1])
            outputs = session.run(None, {name: tensor})
            found = model.found(outputs[0], scale)
            last = client.publish(options.topic, yolox.message(number, found), qos=1)
        number += 1
    publishing.finish(client, last)


if __name__ == "__main__":
    main()
