"""From packets to captured frames: decodes what is asked for, and counts the rest.

            ┌────── catches up: decodes the group that was kept ──────┐
    following                                                      resting
    every packet is decoded, but disposable       packets are kept; a key frame that is asked
    ones that nobody asks for                     for is decoded alone
            └────── where nobody asks for what comes ─────────────────┘

Resting begins at a key frame, or where the decoder holds no frame back.

Each packet is one captured frame, decoded or not, and is given out once, in the order frames are shown. What was
given out undecoded is decoded once more where decoding catches up, and not given out again.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import av

from edged.sources.capture import Capture
from edged.sources.decoder import Decoder, Packet
from edged.sources.group import Group
from edged.sources.order import CaptureOrder
from edged.sources.packets import Disposability, PacketFacts, Treatment
from edged.sources.pixels import of_video


class Unpacker:
    """Unpacks one stream.

    Attributes:
        failing: Whether the last key frame that was decoded alone gave no frame.
        at_rest: Whether nothing moves, so that the next packets can wait a moment.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        reorders: bool,
        disposability: Disposability | None,
        treatment: Callable[[PacketFacts], Treatment],
        time_of: Callable[[int | None], float | None],
        stop: threading.Event,
    ) -> None:
        """Begin before the first packet.

        Args:
            decoder: Of the stream, unused.
            reorders: Whether its packets come in another order than their frames are shown in.
            disposability: Tells which packets nothing depends on; None = every packet is decoded.
            treatment: Asked once for each packet, in the order they come.
            time_of: Seconds on the stream's clock of a time stamp, None where it has none; asked once for each frame,
                in the order they are shown, as far as they are decoded.
            stop: Ends catching up.
        """
        self.failing = self.at_rest = False
        self._decoder, self._reorders, self._disposability = decoder, reorders, disposability
        self._treatment, self._time_of, self._stop = treatment, time_of, stop
        self._group, self._order = Group(), CaptureOrder()
        self._counted: set[int] = set()  # time stamps of the group's frames that need not be given out again
        self._start_pts: int | None = None  # of the key frame that decoding began anew with
        self._resting = False
        self._held: int | None = (
            None  # frames of the decoder that did not come out yet; None after it began anew
        )

    def unpack(self, packet: Packet, arrival_s: float) -> Iterable[Capture]:
        """The frames that can be given out after this packet; an empty packet is the last."""
        if self._disposability is None:  # nothing is passed over, and so nothing waits for its turn
            return [self._capture(frame, arrival_s) for frame in self._decoder.decode(packet)]
        return self._treated(packet, arrival_s, self._disposability)

    def _treated(self, packet: Packet, arrival_s: float, disposability: Disposability) -> Iterator[Capture]:
        if not packet.size:
            yield from self._shown(self._decoder.decode(packet), arrival_s)
            yield from self._order.rest()
            return
        facts = self._facts(packet, arrival_s, disposability)
        treatment = Treatment.DECODE if facts is None else self._treatment(facts)
        self.at_rest = treatment is Treatment.REST
        if treatment is Treatment.DECODE:
            yield from self._follow(packet, arrival_s)
        elif packet.is_keyframe:
            yield from self._rest_at(packet, arrival_s, looked_at=treatment is Treatment.LOOK)
        elif facts is not None and facts.disposable:
            self._pass(packet, arrival_s)
            if self._resting:
                yield from self._due(packet)
        elif self._resting or self._held == 0:
            self._resting = True
            yield from self._keep(packet, arrival_s)
        else:
            yield from self._follow(packet, arrival_s)

    def _facts(self, packet: Packet, arrival_s: float, disposability: Disposability) -> PacketFacts | None:
        if packet.pts is None:
            return None
        time_s = self._time_of(packet.pts)
        return PacketFacts(
            arrival_s if time_s is None else time_s,
            packet.size,
            key=packet.is_keyframe,
            disposable=not packet.is_keyframe and disposability.holds(memoryview(packet)),
        )

    def _follow(self, packet: Packet, arrival_s: float) -> Iterator[Capture]:
        """Decode a packet, and before it what was kept, where it depends on that."""
        if packet.is_keyframe:
            self._start_pts = None
        if self._resting:
            yield from self._catch_up(packet, arrival_s)
        if self._start_pts is not None and packet.pts is not None and packet.pts < self._start_pts:
            self._pass(packet, arrival_s)
            return
        yield from self._decoded(packet, arrival_s)

    def _catch_up(self, packet: Packet, arrival_s: float) -> Iterator[Capture]:
        self._resting = False
        if packet.is_keyframe:
            yield from self._drained(arrival_s)
            self._start_pts = packet.pts
        else:
            self._start_pts = self._group.key_pts
            yield from self._decoded_group(arrival_s)
        self._group.clear()

    def _rest_at(self, packet: Packet, arrival_s: float, *, looked_at: bool) -> Iterator[Capture]:
        """Decode nothing from this key frame on, apart from itself where it is looked at."""
        yield from self._drained(arrival_s)
        self._resting = True
        self._counted.clear()
        self._group.begin(packet)
        if looked_at:
            frames = self._decoder.decode(packet) + self._decoder.drain()
            self.failing = not frames
            for frame in frames:
                self._add(frame, arrival_s)
        else:
            self._pass(packet, arrival_s)
        if packet.pts is not None:
            self._counted.add(packet.pts)
        yield from self._due(packet)

    def _keep(self, packet: Packet, arrival_s: float) -> Iterator[Capture]:
        self._group.add(packet)
        self._pass(packet, arrival_s)
        if packet.pts is not None:
            self._counted.add(packet.pts)
        yield from self._due(packet)
        if self._group.full:
            yield from self._decoded_group(arrival_s)
            self._group.clear()

    def _drained(self, arrival_s: float) -> Iterator[Capture]:
        """What the decoder still held; it begins anew with the next packet."""
        if self._held is not None:
            self._held = None
            yield from self._shown(self._decoder.drain(), arrival_s)

    def _decoded_group(self, arrival_s: float) -> Iterator[Capture]:
        for packet in self._group.decodable():
            if self._stop.is_set():
                return
            yield from self._decoded(packet, arrival_s)

    def _decoded(self, packet: Packet, arrival_s: float) -> Iterator[Capture]:
        frames = self._decoder.decode(packet)
        self._held = (self._held or 0) + 1 - len(frames)
        yield from self._shown(frames, arrival_s)

    def _shown(self, frames: Iterable[av.VideoFrame], arrival_s: float) -> Iterator[Capture]:
        """Decoded frames, and the passed ones that are shown before them."""
        for frame in frames:
            if frame.pts is None:
                yield self._capture(frame, arrival_s)
                continue
            if frame.pts in self._counted:
                self._counted.discard(frame.pts)
                if not self._order.take_back(frame.pts):
                    continue
            self._add(frame, arrival_s)
            yield from self._order.until(frame.pts)

    def _add(self, frame: av.VideoFrame, arrival_s: float) -> None:
        self._order.add(frame.pts or 0, self._capture(frame, arrival_s))

    def _capture(self, frame: av.VideoFrame, arrival_s: float) -> Capture:
        return Capture(self._time_of(frame.pts), arrival_s, partial(of_video, frame))

    def _due(self, packet: Packet) -> Iterator[Capture]:
        """The frames that none of a later packet is shown before: packets come in the order of ``dts``."""
        if packet.pts is None:
            return
        if packet.dts is not None:
            yield from self._order.until(min(packet.pts, packet.dts))
        elif not self._reorders:
            yield from self._order.until(packet.pts)

    def _pass(self, packet: Packet, arrival_s: float) -> None:
        """Count a frame that is not decoded."""
        if packet.pts is not None:
            self._order.add(packet.pts, Capture(self._time_of(packet.pts), arrival_s, None))
