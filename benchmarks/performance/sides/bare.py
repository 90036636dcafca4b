"""Sides without edged, a line of JSON each: ``bare.py decode|session|overlapped VIDEO MODEL PROVIDER ...``.

decode      every frame of the video decoded, one thread, nothing converted
session     inferences one after the other, in one caller
overlapped  both at once, a token a frame between them: what nobody can be faster than
"""

import argparse
import json
import queue
import threading
import time

import av

WARM_UP = 10


def frames(path: str) -> object:
    """Every frame of a video, decoded by one thread."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        yield from container.decode(stream)


def told(count: int, cpu_s: float, wall_s: float) -> None:
    print(json.dumps({"frames": count, "cpu_ms": cpu_s / count * 1000, "wall_ms": wall_s / count * 1000}))


def decode(options: argparse.Namespace) -> None:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    count = sum(1 for _ in frames(options.video))
    told(count, time.process_time() - cpu_s, time.perf_counter() - wall_s)


def session(options: argparse.Namespace) -> None:
    import sessions

    made = sessions.tuned(options.model, options.provider, threads=options.threads, streams=1)
    feeds = sessions.feeds(made)
    for _ in range(WARM_UP):
        made.run(None, feeds)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for _ in range(options.count):
        made.run(None, feeds)
    told(options.count, time.process_time() - cpu_s, time.perf_counter() - wall_s)


def overlapped(options: argparse.Namespace) -> None:
    import sessions

    made = sessions.tuned(options.model, options.provider, threads=options.threads, streams=options.callers)
    feeds = sessions.feeds(made)
    tokens: queue.Queue[bool] = queue.Queue(maxsize=2 * options.callers)

    def infer() -> None:
        while tokens.get():
            made.run(None, feeds)

    for _ in range(WARM_UP):
        made.run(None, feeds)
    callers = [threading.Thread(target=infer) for _ in range(options.callers)]
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for caller in callers:
        caller.start()
    count = 0
    for _ in frames(options.video):
        tokens.put(True)
        count += 1
    for _ in callers:
        tokens.put(False)
    for caller in callers:
        caller.join()
    told(count, time.process_time() - cpu_s, time.perf_counter() - wall_s)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=["decode", "session", "overlapped"])
    parser.add_argument("video")
    parser.add_argument("model")
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args()
    {"decode": decode, "session": session, "overlapped": overlapped}[options.side](options)


if __name__ == "__main__":
    main()
