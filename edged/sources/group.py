"""The running group of pictures: what came since the last key frame, kept so that decoding can catch up."""

from collections.abc import Iterator

from edged.sources.decoder import Packet

MAX_PACKETS = 300
MAX_BYTES = 16 * 1024**2
"""Beyond either, decoding catches up though nobody asked: longer groups are decoded, and a moment's work stays one."""


class Group:
    """Packets in the order they were read.

    Attributes:
        key_pts: Time stamp of the key frame it began with; None while it begins in the middle of a group of which
            the decoder has seen the beginning.
    """

    def __init__(self) -> None:
        self.key_pts: int | None = None
        self._packets: list[Packet] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether decoding should catch up."""
        return len(self._packets) >= MAX_PACKETS or self._bytes >= MAX_BYTES

    def begin(self, key: Packet) -> None:
        """Forget what was kept, and begin with a key frame."""
        self.clear()
        self.key_pts = key.pts
        self.add(key)

    def add(self, packet: Packet) -> None:
        """Keep a packet."""
        self._packets.append(packet)
        self._bytes += packet.size

    def clear(self) -> None:
        """The decoder has seen all of it."""
        self.key_pts = None
        self._packets.clear()
        self._bytes = 0

    def decodable(self) -> Iterator[Packet]:
        """All but the leading pictures, which depend on a group before the key frame."""
        for packet in self._packets:
            if self.key_pts is None or packet.pts is None or packet.pts >= self.key_pts:
                yield packet
