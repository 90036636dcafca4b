"""Motion by the sizes of packets, before anything is decoded. Pure.

What a fixed camera sees still costs few bytes and always about as many; what moves costs more. So a packet moves
where it is larger than the still ones of its kind were, by more than they differ among themselves.
"""

import math
from collections import deque
from enum import Enum, auto

from edged.sources.packets import PacketFacts

LEARN_S = 4.0
LEARN_PACKETS = 30
"""Predicted packets, before anything is said."""
WINDOW_PACKETS = 160
"""Of still packets of each kind: long enough to be steady, short enough to follow dusk and dawn."""
REFRESH_PACKETS = 8
"""Between two looks at the distribution."""
TAIL_QUANTILE, TAIL_LOG = 0.95, 0.2
"""A packet has grown where it is by 22 % larger than all but one in twenty of the still ones."""
MIN_GROWTH_BYTES_PER_PIXEL = 2e-4
"""Below this a packet is not larger, it only says the same in other words: 66 bytes of 768 x 432, 415 of 1080p."""
STRONG_BYTES, STRONG_LOG = 8.0, 1.0
"""Growth of so many times the least that counts, and nearly threefold, needs no other packet to confirm it."""
CONFIRM_PACKETS, CONFIRMED = 6, 3
"""Among so many in a row so many must have grown."""
HICCUP_S = 0.5
"""Growth that is over so soon was noise, and a part of stillness."""
RELEARN_S = 60.0
"""After so long without a still packet, what looks steady is the new stillness: a light was switched, a fan runs."""
RELEARN_SPREAD = 0.15
"""Steady, as the standard deviation of the logarithm of sizes."""
PADDED_SPREAD = 0.02
PADDED_BITS_PER_BLOCK = 2.0
PADDED_PACKETS = 100
"""Sizes that differ by less, at more bits for 256 pixels than stillness needs, are filled up and say nothing."""
_BLOCK_PX = 256
_SIGMA = 0.16
"""The quantile of a normal distribution that lies one standard deviation below its median."""


class Verdict(Enum):
    """What a packet says."""

    LEARNING = auto()
    STILL = auto()
    MOVING = auto()


class _Still:
    """Sizes of the still packets of one kind."""

    def __init__(self, *, min_growth_bytes: float) -> None:
        self._min_growth_bytes = min_growth_bytes
        self._logs: deque[float] = deque(maxlen=WINDOW_PACKETS)
        self._typical_bytes = self._typical_log = self._grown_log = 0.0
        self._fresh = 0

    def add(self, log: float) -> None:
        self._logs.append(log)
        self._fresh += 1
        if self._fresh >= REFRESH_PACKETS or len(self._logs) <= REFRESH_PACKETS:
            self._refresh()

    def adopt(self, logs: deque[float]) -> None:
        self._logs = deque(logs, maxlen=WINDOW_PACKETS)
        self._refresh()

    def votes(self, size: int, log: float) -> int:
        """How many packets' worth of growth a size is: none, one, or enough by itself."""
        if not self._logs:
            return 0
        growth = (size - self._typical_bytes) / self._min_growth_bytes
        if growth < 1 or log < self._grown_log:
            return 0
        return CONFIRMED if growth >= STRONG_BYTES and log - self._typical_log >= STRONG_LOG else 1

    def _refresh(self) -> None:
        self._fresh = 0
        if not self._logs:
            return
        ordered = sorted(self._logs)
        self._typical_log = ordered[len(ordered) // 2]
        self._typical_bytes = math.exp(self._typical_log)
        self._grown_log = ordered[int((len(ordered) - 1) * TAIL_QUANTILE)] + TAIL_LOG


class PacketMotion:
    """Tells motion from stillness. One for each camera.

    Attributes:
        padded: Whether sizes are filled up to a constant rate, so that nothing can be seen in them.

    >>> motion, n = PacketMotion(pixels=1920 * 1080), 0
    >>> for n in range(200):
    ...     said = motion.look(PacketFacts(n / 25, 900 if n % 2 else 1000, key=not n, disposable=False))
    >>> said
    <Verdict.STILL: 2>
    >>> motion.look(PacketFacts(8.0, 9000, key=False, disposable=False))
    <Verdict.MOVING: 3>
    """

    def __init__(self, *, pixels: int) -> None:
        """Args: pixels: Of a frame."""
        self.padded = False
        self._pixels = pixels
        min_growth_bytes = MIN_GROWTH_BYTES_PER_PIXEL * pixels
        self._still = {disposable: _Still(min_growth_bytes=min_growth_bytes) for disposable in (False, True)}
        self._recent: dict[bool, deque[float]] = {kind: deque(maxlen=WINDOW_PACKETS) for kind in self._still}
        self._grown: deque[bool] = deque(maxlen=CONFIRM_PACKETS)
        self._began_s: float | None = None
        self._still_s = 0.0
        self._doubtful: list[tuple[bool, float]] = []  # sizes since something grew
        self._seen = 0
        self._after_key = False
        self._learned = False

    @property
    def learned(self) -> bool:
        """Whether it knows what stillness looks like."""
        return self._learned

    def look(self, packet: PacketFacts) -> Verdict:
        """What this packet says; called for each, in the order they were read.

        Key frames, and the frame after one, which repairs what it blurred, say nothing: the verdict stays.
        """
        if self._began_s is None:
            self._began_s = self._still_s = packet.time_s
        skipped, self._after_key = packet.key or (self._after_key and not packet.disposable), packet.key
        if skipped or packet.size <= 0:
            return self._verdict()
        self._seen += 1
        still, log = self._still[packet.disposable], math.log(packet.size)
        self._recent[packet.disposable].append(log)
        if self._seen % REFRESH_PACKETS == 0:
            self.padded = self._is_padded()
        if not self._learned:
            still.add(log)
            self._learned = packet.time_s - self._began_s >= LEARN_S and self._seen >= LEARN_PACKETS
            self._still_s = packet.time_s
            return self._verdict()
        self._judge(still, packet, log)
        return self._verdict()

    def _judge(self, still: _Still, packet: PacketFacts, log: float) -> None:
        votes = still.votes(packet.size, log)
        self._grown.extend([True] * votes or [False])
        moved_s = packet.time_s - self._still_s
        if any(self._grown):
            self._doubtful.append((packet.disposable, log))
            if moved_s >= RELEARN_S:
                self._relearn(packet.time_s)
            return
        for disposable, doubtful in self._doubtful if moved_s <= HICCUP_S else ():
            self._still[disposable].add(doubtful)
        self._doubtful.clear()
        still.add(log)
        self._still_s = packet.time_s

    def _is_padded(self) -> bool:
        recent = self._recent[False]
        if len(recent) < PADDED_PACKETS:
            return False
        median, spread = _distribution(recent)
        bits = 8 * math.exp(median) * _BLOCK_PX / self._pixels
        return (
            spread < PADDED_SPREAD and max(recent) - median < PADDED_SPREAD and bits > PADDED_BITS_PER_BLOCK
        )

    def _relearn(self, time_s: float) -> None:
        self._still_s = time_s
        self._doubtful.clear()
        if _distribution(self._recent[False])[1] <= RELEARN_SPREAD:
            self._grown.clear()
            for kind, recent in self._recent.items():
                self._still[kind].adopt(recent)

    def _verdict(self) -> Verdict:
        if not self._learned:
            return Verdict.LEARNING
        return Verdict.MOVING if sum(self._grown) >= CONFIRMED else Verdict.STILL


def _distribution(logs: deque[float]) -> tuple[float, float]:
    """Median, and the standard deviation by the lower half, which motion does not widen."""
    if not logs:
        return 0.0, 0.0
    ordered = sorted(logs)
    median = ordered[len(ordered) // 2]
    return median, median - ordered[int(len(ordered) * _SIGMA)]
