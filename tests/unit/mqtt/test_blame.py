"""What the ends of connections are put down to."""

from outboxes import outbox

from edged.errors import EdgedError
from edged.mqtt.blame import DENIED_S, Blame
from edged.mqtt.records import ConnectionEnded, Ending
from edged.mqtt.retained import RetainedStates
from edged.mqtt.window import Window

HEALTH = "edged/box/health"


class Heard:
    """A subscription that was answered."""

    asks = False

    def ended(self, *, hung_up: bool) -> None:
        pass


class Ends:
    """A link whose broker took all states, and hangs up now and then."""

    def __init__(self) -> None:
        self.blame = Blame(RetainedStates(), Window(outbox()), Heard(), give_up=lambda *_: None)
        self.now_s = 0.0

    def hangs_up(self, after_s: float, *, sent: bool) -> EdgedError:
        self.blame.begin(self.now_s)
        self.now_s += 60
        if sent:
            self.blame.sent_fleeting(HEALTH, self.now_s)
        self.now_s += after_s
        error = ConnectionEnded("mqtt://broker", "the connection broke", ending=Ending.HUNG_UP)
        return self.blame.judge(error, self.now_s, proven=True)


def test_what_has_no_answer_is_blamed_for_the_third_end_in_a_row_and_for_none_after_it():
    link = Ends()
    said = [link.hangs_up(0.1, sent=True).problem for _ in range(3)]
    assert said == ["the connection broke"] * 2 + [f"the broker hung up on {HEALTH}"]
    assert link.blame.bars(HEALTH)
    assert link.hangs_up(0.1, sent=False).problem == "the connection broke"


def test_what_was_sent_a_while_before_the_end_is_not_blamed():
    link = Ends()
    said = [link.hangs_up(wait_s, sent=True).problem for wait_s in (0.1, 0.1, 2 * DENIED_S, 0.1, 0.1)]
    assert said == ["the connection broke"] * 5
