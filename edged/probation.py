"""Whether a version that was just swapped in is as good on live frames as the one before it.

    took, failed, died ─→ Probation ─→ verdict: pending … passed, or failed with a sentence of evidence
                              ↑ │
               opinion of the │ └─→ suspicion: "it is silent where the previous version was not"
             previous version ┘

`Record` is what a version did; the record of the previous one is the yardstick. Nothing here knows a thread, a
clock or a model: times are passed in, on the monotonic clock. Not synchronised: its owner holds a lock around
every call.

A version is compared on the same cameras, with what the previous one did last. When in doubt it stays: what is
strange for a moment (cold caches, a busy second, an empty scene, one kill) is no evidence.
"""

import math
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

LATENCIES, OUTCOMES = 500, 200
"""So many of the last are remembered: latencies of a version, outcomes of each of its sources."""
MIN_SAMPLES = 20
STEADY_FRAMES, STEADY_SHARE = 50, 0.8
LATELY = 20
"""Of a source's last so many frames half must have found something: else its scene has just become empty."""

MIN_FAILURES, MIN_FAILED_SHARE = 3, 0.02
COLD = 5
"""So many first answers of a process say nothing about its latency."""
SLOWER, SLOWER_MS = 3.0, 10.0
SPANS = 4
"""A latency is too long where so many spans in a row are; one burst then has to outlast two whole ones."""
SPANS_A_PROBATION = 24
"""A span lasts this part of the probation, 5 s of 120, and at least `MIN_SAMPLES` answers."""
SILENT_FRAMES, SILENT_S = 30, 5.0
ALONE = 3
"""Without a second opinion silence has to last this many times as long."""
OPINIONS = 5
REST_S = 60.0
FRESH_S = 60.0
"""A camera that comes back later than this may look at another scene; its silence then needs an opinion."""
OPEN_S = 60.0
"""What is suspected when the probation could end keeps it open for at most this long."""

FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "stopped by a signal")
"""Deaths that may be an operator's or the kernel's doing."""

_NOTHING, _FOUND, _FAILED = range(3)


@dataclass(slots=True, eq=False)
class Record:
    """One version's behaviour on the live sources; its memory is bounded for each source.

    Attributes:
        answered: Frames with an answer, since the start.
        failures: Frames without one, since the start.
        problem: Why the last of those failed, in one line; empty where none did.
    """

    answered: int = 0
    failures: int = 0
    problem: str = ""
    _latencies: deque[tuple[str, float]] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    _outcomes: dict[str, deque[int]] = field(default_factory=dict)

    def took(self, source: str, inference_ms: float | None, found: int) -> None:
        """A frame was answered.

        Args:
            source: Name of its camera.
            inference_ms: In the runtime; None where that says nothing about the version.
            found: How many objects.
        """
        self.answered += 1
        if inference_ms is not None:
            self._latencies.append((source, inference_ms))
        outcomes = self._outcomes.get(source)
        if outcomes is None:
            outcomes = self._of(source)
        outcomes.append(_FOUND if found else _NOTHING)

    def failed(self, source: str, problem: str) -> None:
        """The model gave no answer to a frame: an exception, or outputs that are not finite."""
        self.failures += 1
        self.problem = " ".join(problem.split())[:200]
        self._of(source).append(_FAILED)

    @property
    def sources(self) -> Collection[str]:
        """Names of the cameras it saw."""
        return self._outcomes.keys()

    def p95_ms(self, sources: Collection[str] | None = None) -> float | None:
        """Nearest rank among the last latencies, of all sources or of these.

        Returns:
            None below `MIN_SAMPLES`.
        """
        latencies = sorted(ms for source, ms in self._latencies if sources is None or source in sources)
        if len(latencies) < MIN_SAMPLES:
            return None
        return latencies[-(-19 * len(latencies) // 20) - 1]

    def finds_steadily(self, source: str) -> bool:
        """Whether it found something in nearly every one of the source's last frames, up to the very last."""
        answers = [outcome for outcome in self._outcomes.get(source, ()) if outcome != _FAILED]
        lately = answers[-LATELY:]
        return (
            len(answers) >= STEADY_FRAMES
            and answers.count(_FOUND) >= STEADY_SHARE * len(answers)
            and lately.count(_FOUND) * 2 >= len(lately)
        )

    def finds_in(self, source: str) -> tuple[int, int]:
        """In how many of how many of the source's last answered frames it found something."""
        outcomes = self._outcomes.get(source, deque())
        return outcomes.count(_FOUND), len(outcomes) - outcomes.count(_FAILED)

    def failed_on(self, sources: Collection[str]) -> tuple[int, int]:
        """On how many of how many of the last frames of these sources it failed."""
        outcomes = [self._outcomes[source] for source in sources if source in self._outcomes]
        return sum(one.count(_FAILED) for one in outcomes), sum(map(len, outcomes))

    def _of(self, source: str) -> deque[int]:
        return self._outcomes.setdefault(source, deque(maxlen=OUTCOMES))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a version on probation.

    Attributes:
        state: A version that passed or failed stays so.
        evidence: A sentence with numbers; empty while pending.
    """

    state: Literal["pending", "passed", "failed"]
    evidence: str = ""


_PENDING = Verdict("pending")


class Probation:
    """The first minutes of a version: over after some seconds and some answers, whichever is later.

    The yardstick is taken from the previous version's record here, once; what that one does later moves no limit.

    Args:
        previous: Of the version before; None where there was none, then nothing is compared.
        now_s: When the version was swapped in.
        min_s: It lasts at least so long.
        min_inferences: It lasts at least so many answers, and at least one.
        max_latency_ms: The p95 that is allowed, which takes the place of the comparison; a previous version beyond it
            makes its own p95 the limit.

    Attributes:
        record: Of the version on probation.
        alone: Set by the owner where the previous version cannot be asked for opinions.
    """

    def __init__(
        self,
        previous: Record | None,
        *,
        now_s: float,
        min_s: float = 120.0,
        min_inferences: int = 200,
        max_latency_ms: float | None = None,
    ) -> None:
        self.record = Record()
        self.alone = False
        self._started_s, self._min_s, self._min_inferences = now_s, min_s, max(1, min_inferences)
        self._before = previous or Record()
        self._final: Verdict | None = None
        self._cold = COLD
        self._deaths_from_outside = 0
        self._max_ms = None if max_latency_ms is None else max(max_latency_ms, self._before.p95_ms() or 0.0)
        self._slower_ms = {} if max_latency_ms is not None else _slower_ms(self._before)
        self._beyond, self._slower = (_Spans(min_s / SPANS_A_PROBATION) for _ in range(2))
        sources = self._before.sources
        self._frames: Counter[str] = Counter()
        self._failed_before = {source: self._before.failed_on([source]) for source in sources}
        self._failed_before_on_all = self._before.failed_on(sources)
        self._silent = {source: _Silence() for source in sources if self._before.finds_steadily(source)}

    def took(self, source: str, inference_ms: float, found: int, now_s: float) -> None:
        """A frame was answered; `Record.took` describes the arguments."""
        if self._cold:
            self._cold -= 1
            self.record.took(source, None, found)
        else:
            self.record.took(source, inference_ms, found)
            self._timed(source, inference_ms, now_s)
        self._frames[source] += 1
        silence = self._silent.get(source)
        if silence is not None:
            if found:
                del self._silent[source]
            else:
                silence.frame(now_s, fresh=now_s - self._started_s <= FRESH_S)

    def failed(self, source: str, problem: str, now_s: float) -> None:
        """The model gave no answer to a frame. Judged by the share of such frames, whenever they came."""
        self.record.failed(source, problem)
        self._frames[source] += 1
        failures, frames = self.record.failures, self.record.failures + self.record.answered
        if failures >= MIN_FAILURES and failures > self._failures_allowed(frames):
            before, of = self._before.failed_on(self.record.sources)
            compared = f", the previous version on {before} of {of}" if of else ""
            self._fail(f"failed on {failures} of {frames} frames ({self.record.problem}){compared}")

    def died(self, how: str, now_s: float) -> None:
        """The version's process died. Called once a process, not once a caller that lost it.

        Args:
            how: Signal, exit code or time without an answer, as its worker says it.
            now_s: When.
        """
        self._cold = COLD
        after = f"{max(0.0, now_s - self._started_s):.0f} s after the swap"
        if not how.startswith(FROM_OUTSIDE):
            self._fail(f"its process died {after} ({how})")
            return
        self._deaths_from_outside += 1
        if self._deaths_from_outside > 1:
            self._fail(f"its process died {self._deaths_from_outside} times, last {after} ({how})")

    def suspicion(self, now_s: float) -> str | None:
        """A source where this version finds nothing and the previous one steadily did: ask that one there.

        Returns:
            Of several the one whose frame came last; None where there is none, or nobody to ask.
        """
        if self.alone or self._final is not None:
            return None
        return max(self._suspected(now_s), key=lambda source: self._silent[source].last_s, default=None)

    def opinion(self, source: str, found: int, now_s: float) -> None:
        """What the previous version finds on a suspected source's frame in which this one found nothing."""
        if source not in self._suspected(now_s):
            return  # it found something meanwhile, or the suspicion rests
        silence = self._silent[source]
        silence.opinions.append(found > 0)
        seen = sum(silence.opinions)
        if seen >= OPINIONS:
            self._fail(
                f"found nothing in {silence.frames} frames of {source}, where the previous version found "
                f"something in {seen} of the {len(silence.opinions)} that it was shown"
            )
        elif len(silence.opinions) >= OPINIONS and not any(list(silence.opinions)[-OPINIONS:]):
            silence.rest(now_s)

    def verdict(self, now_s: float) -> Verdict:
        """What is known by now; cheap enough to ask for after each frame."""
        if self._final is None and self.alone:
            self._judge_alone(now_s)
        if self._final is None and self._complete(now_s):
            self._final = Verdict("passed", self._figures(now_s))
        return self._final or _PENDING

    def summary(self, now_s: float) -> str:
        """One line for a person."""
        if self._final is None:
            return f"probation: {self._figures(now_s)}"
        return f"probation {self._final.state}: {self._final.evidence}"

    def _timed(self, source: str, inference_ms: float, now_s: float) -> None:
        if self._max_ms is not None and self._beyond.add(inference_ms > self._max_ms, now_s):
            self._fail_slow(self._beyond, f"more than {self._max_ms:.1f} ms")
        slower_ms = self._slower_ms.get(source)
        if slower_ms is not None and self._slower.add(inference_ms > slower_ms, now_s):
            self._fail_slow(self._slower, f"more than {SLOWER:.0f} times the previous version's p95")

    def _fail_slow(self, spans: "_Spans", than: str) -> None:
        over, of = spans.totals
        self._fail(f"{over} of the last {of} inferences took {than}: {self._p95s()}")

    def _failures_allowed(self, frames: int) -> float:
        """Twice the previous version's share on the same sources, or what three sigmas of luck explain: the more.

        The shares of both versions are samples, so a source's variance is that of both. A half failure is added
        to the previous version's: none in 200 does not stand for never. Where it failed on more than a third,
        halfway to all takes the place of twice.
        """
        expected = by_luck = variance = 0.0
        for source, count in self._frames.items():
            failures, of = self._failed_before.get(source, self._failed_before_on_all)
            expected += count * failures / max(of, 1)
            if of >= MIN_SAMPLES:
                share = (failures + 0.5) / (of + 1)
                by_luck += count * share
                variance += count * share * (1 - share) * (1 + count / of)
        return max(
            MIN_FAILED_SHARE * frames,
            min(2 * expected, (frames + expected) / 2),
            by_luck + 3 * math.sqrt(variance),
        )

    def _suspected(self, now_s: float) -> list[str]:
        return [
            source
            for source, silence in self._silent.items()
            if silence.suspicious(now_s) and (silence.fresh or not self.alone)
        ]

    def _judge_alone(self, now_s: float) -> None:
        for source in self._suspected(now_s):
            silence = self._silent[source]
            if silence.suspicious(silence.last_s, times=ALONE):  # a camera that is away is not silent
                found, of = self._before.finds_in(source)
                self._fail(
                    f"found nothing in {silence.frames} frames of {source}, where the previous version found "
                    f"something in {found} of its last {of}"
                )

    def _complete(self, now_s: float) -> bool:
        over_s = now_s - self._started_s - self._min_s
        if over_s < 0 or self.record.answered < self._min_inferences:
            return False
        suspected = self._beyond.slow or self._slower.slow or self._suspected(now_s)
        return not suspected or over_s >= OPEN_S

    def _figures(self, now_s: float) -> str:
        answered = min(self.record.answered, self._min_inferences)
        passed_s = min(max(0.0, now_s - self._started_s), self._min_s)
        figures = [
            f"{answered} of {self._min_inferences} inferences",
            f"{passed_s:.0f} of {self._min_s:.0f} s",
            f"{self.record.failures} failed" if self.record.failures else "",
            self._p95s(),
        ]
        return ", ".join(filter(None, figures))

    def _p95s(self) -> str:
        """Of both versions, on the cameras that this one saw; empty below `MIN_SAMPLES`."""
        p95_ms, before_ms = self.record.p95_ms(), self._before.p95_ms(self.record.sources)
        if p95_ms is None:
            return ""
        return f"p95 {p95_ms:.1f} ms" + ("" if before_ms is None else f" (before {before_ms:.1f})")

    def _fail(self, evidence: str) -> None:
        self._final = self._final or Verdict("failed", evidence)


class _Spans:
    """Whether latencies stay beyond a limit: one verdict for each span of time, so one burst is one span."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._closed: deque[tuple[int, int]] = deque(maxlen=SPANS)
        self._over = self._count = 0
        self._since_s = 0.0

    def add(self, over: bool, now_s: float) -> bool:
        """One answer, and whether it was beyond; True where every one of the last spans was."""
        if not self._count:
            self._since_s = now_s
        self._count += 1
        self._over += over
        if self._count < MIN_SAMPLES or now_s - self._since_s < self._span_s:
            return False
        self._closed.append((self._over, self._count))
        self._over = self._count = 0
        return len(self._closed) == SPANS and all(_p95_over(*span) for span in self._closed)

    @property
    def slow(self) -> bool:
        """Whether it looks so now."""
        last = self._closed[-1] if self._closed else (0, 0)
        return _p95_over(*last) or (self._over > 1 and _p95_over(self._over, self._count))

    @property
    def totals(self) -> tuple[int, int]:
        """Answers that were beyond, and all, in the last spans."""
        return sum(over for over, _ in self._closed), sum(count for _, count in self._closed)


@dataclass(slots=True, eq=False)
class _Silence:
    """A source where the previous version found something steadily and this one nothing yet.

    Attributes:
        frames: Without a find, since the start or the last rest.
        since_s: When the first of them came, and ``last_s`` the last.
        fresh: The previous version's steadiness still says something about the scene.
        opinions: Whether the previous version found something, oldest first.
    """

    frames: int = 0
    since_s: float = math.inf
    last_s: float = -math.inf
    fresh: bool = True
    opinions: deque[bool] = field(default_factory=lambda: deque(maxlen=2 * OPINIONS))
    _rests_until_s: float = -math.inf

    def frame(self, now_s: float, *, fresh: bool) -> None:
        if now_s < self._rests_until_s:
            return
        if not self.frames:
            self.since_s, self.fresh = now_s, self.fresh and fresh
        self.frames += 1
        self.last_s = now_s

    def suspicious(self, now_s: float, *, times: int = 1) -> bool:
        return self.frames >= SILENT_FRAMES * times and now_s - self.since_s >= SILENT_S * times

    def rest(self, now_s: float) -> None:
        """The scene is empty: look again later."""
        self.frames, self.fresh, self._rests_until_s = 0, False, now_s + REST_S
        self.opinions.clear()


def _slower_ms(before: Record) -> dict[str, float]:
    """Beyond which latency an answer counts as slower, for each source that can be compared.

    Each source has its own limit, so that another mixture of cameras is no slower version. Where there are too
    many cameras for enough samples of any, all of them share one.
    """
    each = {source: before.p95_ms([source]) for source in before.sources}
    if all(p95_ms is None for p95_ms in each.values()):
        each = dict.fromkeys(each, before.p95_ms())
    return {
        source: max(SLOWER * p95_ms, p95_ms + SLOWER_MS)
        for source, p95_ms in each.items()
        if p95_ms is not None
    }


def _p95_over(over: int, count: int) -> bool:
    """Whether the p95 of so many is over a limit that so many are over."""
    return over * 20 > count
