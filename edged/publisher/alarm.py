"""When an anomaly is an alarm: so many windows in a row raise it, so many without one clear it. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Alarm:
    """The alarm of one sensor, model and origin.

    Attributes:
        raise_after: Anomalous windows in a row that raise it.
        clear_after: Windows in a row without anomaly that clear it.
        up: Whether it is raised.
    """

    raise_after: int = 1
    clear_after: int = 1
    up: bool = False
    _against: int = 0

    def saw(self, *, anomaly: bool) -> bool:
        """One more window; whether this raised or cleared the alarm.

        >>> alarm = Alarm(raise_after=2)
        >>> [alarm.saw(anomaly=True), alarm.saw(anomaly=True), alarm.up]
        [False, True, True]
        """
        if anomaly == self.up:
            self._against = 0
            return False
        self._against += 1
        if self._against < (self.clear_after if self.up else self.raise_after):
            return False
        self.up, self._against = anomaly, 0
        return True
