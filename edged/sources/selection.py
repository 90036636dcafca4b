"""Which frames of a camera are decoded, and which of those are delivered: by ``fps``, by the gate, and on request.

Before decoding, `treatment` says what a packet is worth; after it, `deliver` says of each captured frame, decoded or
not, in the order they are shown, whether it goes on. Key frames alone are decoded while they come at least as often
as ``fps`` asks for frames.
"""

from collections import deque
from collections.abc import Callable

from edged.sources.chooser import FrameChooser
from edged.sources.motion.gate import SHUT, Gate, Look
from edged.sources.packets import PacketFacts, StreamTraits, Treatment
from edged.sources.pixels import Pixels

KEY_STEPS = 3
"""Steps from key frame to key frame that are known before key frames alone are relied on."""
KEY_LATENESS = 1.01
"""A step may be so much longer than what ``fps`` asks for: time stamps are rounded."""


class KeyRhythm:
    """Learns how often key frames come, and says whether they are enough.

    >>> rhythm = KeyRhythm(fps=1)
    >>> [rhythm.suffices(n / 2, key=n % 2 == 0) for n in range(8)]
    [False, False, False, False, False, False, True, True]
    """

    def __init__(self, *, fps: float) -> None:
        """Args: fps: Frames a second that are looked at; 0 = all."""
        self._longest_s = KEY_LATENESS / fps if fps > 0 else -1.0  # of no clock, however it stands
        self._steps: deque[float] = deque(maxlen=KEY_STEPS)
        self._key_s: float | None = None

    def suffices(self, time_s: float, *, key: bool) -> bool:
        """Whether key frames alone give ``fps``. Called for each packet, in order."""
        step_s = 0.0 if self._key_s is None else time_s - self._key_s
        if abs(step_s) > self._longest_s:
            self._steps.clear()
        elif key and self._key_s is not None:
            self._steps.append(step_s)
        if key:
            self._key_s = time_s
        return len(self._steps) == KEY_STEPS


class Selection:
    """Chooses for one camera; it belongs to the camera's thread."""

    def __init__(self, fps: float, gate: Gate, *, asked: Callable[[], bool]) -> None:
        """Begin.

        Args:
            fps: Frames a second at most; 0 = all.
            gate: Whether something moves.
            asked: Whether somebody waits for the next frame, chosen or not.
        """
        self._fps, self._gate, self._asked = fps, gate, asked
        self._chooser = FrameChooser(fps)
        self._rhythm = KeyRhythm(fps=fps)
        self._keys_only = self._intra_only = False
        self._owed = False  # a chosen frame was not decoded: the next one that is stands in for it

    def begin(self, traits: StreamTraits, *, again: bool, step_s: float = 0.0) -> None:
        """A source was opened.

        Args:
            traits: Of its stream.
            again: Whether it is the recording that was read before, and its choice goes on. Otherwise the first
                frame is chosen, which says that the camera is back.
            step_s: From the last frame of the recording to its first one, where it has shown no other.
        """
        if not traits.codec:
            self._chooser = FrameChooser(0)  # pictures already come at the rate that is wanted
        elif again:
            self._chooser.restart(step_s)
        else:
            self._chooser = FrameChooser(self._fps)
        self._rhythm = KeyRhythm(fps=self._fps)
        self._intra_only = self._keys_only = traits.intra_only
        self._gate.begin(traits, again=again, step_s=step_s)

    def go_on(self) -> None:
        """The camera was asked for its next picture, at the rate that is wanted: it is chosen, and the gate goes on."""
        self._chooser = FrameChooser(self._fps)

    @property
    def foresees(self) -> bool:
        """Whether `treatment` may differ from packet to packet until the next `begin`; False = all are decoded."""
        return self._fps > 0 or self._gate.judges_packets

    def treatment(self, packet: PacketFacts) -> Treatment:
        """What a packet is worth. Called for each, in the order they are read."""
        self._gate.packet(packet)
        self._keys_only = self._rhythm.suffices(packet.time_s, key=packet.key) or self._intra_only
        if self._asked():
            return Treatment.DECODE
        if self._gate.sleeps(packet.time_s):
            if not self._gate.recheck_is_due(packet):
                return Treatment.REST
            return Treatment.LOOK if packet.key else Treatment.DECODE
        if self._keys_only:
            looked_at = packet.key and not self._chooser.will_pass(packet.time_s)
            return Treatment.LOOK if looked_at else Treatment.PASS
        passed = self._chooser.will_pass(packet.time_s)
        return Treatment.PASS if passed and packet.disposable else Treatment.DECODE

    def deliver(self, time_s: float, pixels: Callable[[], Pixels | None] | None) -> Look:
        """Whether a captured frame goes on. Called for each, in the order they are shown.

        Args:
            time_s: Of the frame, on the clock of its packet.
            pixels: Makes them, or None where they are broken; None where the frame was not decoded.

        Returns:
            What the gate says. Where the frame was not decoded or not chosen it stays shut.
        """
        seen = pixels is not None or self._intra_only or not self._keys_only
        chosen = seen and self._chooser.choose(time_s)
        if pixels is None:
            self._owed |= chosen
            return self._gate.passed(time_s, chosen=chosen)
        if not (chosen or self._owed):
            return SHUT
        made = pixels()
        if made is None:
            return SHUT
        self._owed = False
        return self._gate.look(time_s, made)
