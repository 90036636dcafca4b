"""What a sensor's rows become on their way to its models, and that every delivery's receipt is let go in the end."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from mosquitto_broker import until
from structlog.testing import capture_logs

from edged.manifest import RowRecipe
from edged.rows import Delivery, Receipt, Windows
from edged.service.sensor_posts import SensorPost
from edged.settings import check_settings


class Pipeline:
    """Takes windows, and lets go of them where it is told to."""

    def __init__(self) -> None:
        self.offered: list[Windows] = []
        self.takes = True

    def attach(self, feed: Any) -> None:
        """Nothing has to begin."""

    def detach(self, feed: Any) -> None:
        self.takes = False

    def offer(self, feed: Any, windows: Windows) -> bool:
        self.offered.append(windows)
        return self.takes

    def wait_emitted(self, feed: Any, timeout_s: float) -> bool:
        self.settle()
        return True

    def settle(self) -> None:
        """What was offered has its results, which are safe."""
        for windows in self.offered:
            for receipt in windows.receipts:
                receipt.let_go()

    @property
    def rows(self) -> list[list[float]]:
        """Of each window its numbers."""
        return [window.reshape(-1).tolist() for windows in self.offered for window in windows.numbers]


class Model:
    """A model that is served."""

    def __init__(self, *names: str, window: int = 0, served: bool = True) -> None:
        self.name = "m"
        self.pipeline = Pipeline()
        self.rows = self.pipeline if served else None
        self.changes(*names, window=window)

    def changes(self, *names: str, window: int = 0) -> None:
        """Another version serves."""
        recipe = RowRecipe(features=len(names) or 1, names=names, window=window)
        self.description = SimpleNamespace(rows=recipe, family="regressor", labels=())

    def info(self, _result: Any) -> None:
        """Not asked for here."""


class Told(Receipt):
    def __init__(self) -> None:
        self.settled = False
        super().__init__(self._settle)

    def _settle(self) -> None:
        assert not self.settled
        self.settled = True


def post(*models: Model, once: bool = False, hold_rows: int | None = 8, **section: Any) -> SensorPost:
    named = {f"m{n}": model for n, model in enumerate(models)}
    given = {"sensors": {"s": {"url": "-", "models": list(named), **section}}}
    made = SensorPost(
        "s",
        check_settings(given, name="test").settings.sensors["s"],
        source=SimpleNamespace(patient=True, dropped=0, format=None, wake=lambda: None, close=lambda: None),
        hold_rows=hold_rows,
        once=once,
        publisher=SimpleNamespace(emitter=lambda *_: lambda _: 0, wait_safe=lambda _: True),
        on_state=lambda _: None,
    )
    made.connect(named)
    return made


def deliver(to: SensorPost, payload: bytes, *, head: bytes = b"", origin: str = "") -> Told:
    """The receipt of a delivery; of one that comes back."""
    receipt = Told()
    to._deliver(Delivery(payload, 5.0, 7.0, origin, receipt, head))
    return receipt


def dropped(of: SensorPost) -> dict[str, int]:
    return dict(of.state("box").dropped)


def test_a_delivery_is_settled_when_its_windows_are_and_not_before():
    model = Model("x")
    receipt = deliver(post(model), b'{"x": 1}')
    assert not receipt.settled
    model.pipeline.settle()
    assert receipt.settled


@pytest.mark.parametrize("payload", [b"", b"\n", b"nonsense", b"[]"])
def test_what_has_no_row_is_settled_at_once(payload):
    assert deliver(post(Model("x")), payload).settled


def test_what_was_not_taken_is_not_settled_because_its_source_gives_it_again():
    model = Model("x")
    made = post(model)
    made.disconnect()
    made.sensor.stop(0)
    assert not deliver(made, b'{"x": 1}').settled


def test_a_bug_on_some_rows_costs_these_and_neither_the_sensor_nor_the_acknowledgements_behind_them(
    monkeypatch,
):
    """A broker is acknowledged in order, and does not send what is on its way again: one would hold back all others."""
    model = Model("x")
    made = post(model)
    monkeypatch.setattr(model.pipeline, "offer", lambda *_: 1 / 0)
    with capture_logs() as logs:
        receipt = deliver(made, b'{"x": 1}')
    monkeypatch.undo()
    assert [line["event"] for line in logs] == ["a bug: rows dropped"]
    assert dropped(made) == {"failed": 1}
    assert receipt.settled
    deliver(made, b'{"x": 2}')
    assert model.pipeline.rows == [[2.0]]


@pytest.mark.parametrize("silent", [b"", b"nonsense", b'{"x": null}'])
def test_a_row_that_waits_for_its_window_does_not_hold_back_what_comes_after_it_for_ever(silent):
    made = post(Model("x", window=4))
    waits = deliver(made, b'{"x": 1}')
    for _ in range(7):
        assert deliver(made, silent).settled
    assert not waits.settled
    deliver(made, silent)
    assert waits.settled


def test_another_version_of_the_model_reads_on_under_the_same_header():
    """The header was said once, at the beginning of the stream."""
    model = Model("x", "y")
    made = post(model, format="csv")
    deliver(made, b"y,z,x\n1,2,3\n", origin="a")
    model.changes("z")
    deliver(made, b"4,5,6\n", origin="a")
    model.changes("y", "z")
    deliver(made, b"7,8,9\n", origin="a")
    assert model.pipeline.rows == [[3.0, 1.0], [5.0], [7.0, 8.0]]
    assert made.state("box").rejected == 0


def test_what_is_read_from_the_middle_of_a_file_is_read_under_its_header():
    model = Model("x", "y")
    deliver(post(model, format="csv"), b"4,5,6\n", head=b"# pump 3\ny,z,x\n1,2,3\n")
    assert model.pipeline.rows == [[6.0, 4.0]]


def test_rows_that_waited_for_another_version_are_let_go_and_counted_and_the_windows_counted_on():
    model = Model("x", window=2)
    made = post(model)
    for n in range(3):
        receipt = deliver(made, b'{"x": %d}' % n)
    model.changes("x", window=3)
    for n in range(3):
        deliver(made, b'{"x": %d}' % n)
    assert receipt.settled
    assert dropped(made) == {"gap": 1}
    assert [windows.sequence for windows in model.pipeline.offered] == [0, 1]
    assert [windows.numbers.shape[1] for windows in model.pipeline.offered] == [2, 3]


def test_read_once_rows_do_not_wait_for_a_model_that_was_refused():
    assert not deliver(post(Model(served=False), once=True), b'{"x": 1}').settled


def test_rows_wait_for_the_first_model_that_is_served_and_go_to_it():
    model = Model("x", served=False)
    made = post(model)
    thread = threading.Thread(target=deliver, args=(made, b'{"x": 1}'), daemon=True)
    thread.start()
    model.rows = model.pipeline
    assert made.misses({"m0": model})
    made.connect({"m0": model})
    thread.join(5)
    assert model.pipeline.rows == [[1.0]]


def test_what_is_in_work_when_it_ends_becomes_safe_before_its_source_is_closed():
    """A broker that was told goodbye before would send these rows again, and they would have their results twice."""
    model, receipt, settled_at_close = Model("x"), Told(), []
    made = post(model)
    source = made._source
    source.open, source.ended = lambda: None, False
    source.read = lambda _: (
        [Delivery(b'{"x": 1}', 5.0, 7.0, "", receipt)] if not model.pipeline.offered else []
    )
    source.close = lambda: settled_at_close.append(receipt.settled)
    made.sensor.start()
    assert until(lambda: bool(model.pipeline.offered), 5)
    assert made.stop(5.0)
    assert settled_at_close == [True]


def test_nothing_more_is_read_while_it_waits_for_its_end():
    """A pipe keeps its rows for the next reader, and would not if we read them for nothing."""
    model, reads = Model("x"), []
    made = post(model)
    source = made._source
    source.open, source.ended = lambda: None, False

    def read(_timeout_s: float) -> list[Delivery]:
        reads.append("read")
        if len(reads) == 1:
            made.disconnect()
        return [Delivery(b'{"x": 1}', 5.0, 7.0)]

    source.read = read
    made.sensor.start()
    assert not made.sensor.finished.wait(0.2)
    assert reads == ["read"]
    assert made.stop(5.0)
    assert reads == ["read"]


def test_who_gave_rows_hears_how_many_of_them_were_read_and_what_is_wrong_with_the_first_that_was_not():
    heard: list[tuple[int, int, str]] = []
    made = post(Model("x"))
    with capture_logs() as logs:
        for payload in (b'{"x": 1}\n{"x": "n/a"}\n{"y": 1}', b""):
            made._take(Delivery(payload, 5.0, 7.0, read=lambda *counts: heard.append(counts)))
    assert [counts[:2] for counts in heard] == [(3, 2), (1, 1)]
    assert "line 2: x is 'n/a'" in heard[0][2]
    assert "is empty" in heard[1][2]
    assert [line["event"] for line in logs] == ["rows rejected"], "a line in a minute, not one a row"
    assert (made.state("box").rows, made.state("box").rejected) == (4, 3)


def test_a_row_that_no_model_can_read_is_rejected_once():
    made = post(Model("x"), Model("x", "y"))
    deliver(made, b'{"x": 1, "y": 2}\nnonsense\n{"x": 3}')
    assert (made.state("box").rows, made.state("box").rejected) == (3, 2), (
        "the last one lacks the second one's y"
    )
