import pytest

from edged.mqtt.retained import SUSPECT_S, RetainedStates


def told(states: RetainedStates) -> list[tuple[str, bytes]]:
    """Take and settle all that is due."""
    taken = []
    while (due := states.take(0.0)) is not None:
        states.settled(*due, again=False, now_s=0.0)
        taken.append(due)
    return taken


def test_only_the_latest_state_is_told_and_in_the_order_of_first_mention():
    states = RetainedStates()
    states.set("status", b"online")
    states.set("camera", b"1")
    states.set("camera", b"2")
    assert told(states) == [("status", b"online"), ("camera", b"2")]
    assert len(states) == 0


def test_the_same_state_again_is_no_news():
    states = RetainedStates()
    assert states.set("camera", b"1") is True
    assert states.set("camera", b"1") is False


def test_a_new_connection_is_told_everything():
    states = RetainedStates()
    states.set("status", b"online")
    states.set("camera", b"1")
    told(states)
    states.all_again()
    assert told(states) == [("status", b"online"), ("camera", b"1")]


def test_a_state_that_changes_in_flight_follows_after_the_answer():
    states = RetainedStates()
    states.set("camera", b"1")
    first = states.take(0.0)
    states.set("camera", b"2")
    assert states.take(0.0) is None
    assert len(states) == 2
    assert first is not None
    states.settled(*first, again=False, now_s=0.0)
    assert told(states) == [("camera", b"2")]


def test_a_state_the_broker_did_not_take_now_is_due_again():
    states = RetainedStates()
    states.set("camera", b"1")
    due = states.take(0.0)
    assert due is not None
    states.settled(*due, again=True, now_s=0.0)
    assert told(states) == [("camera", b"1")]


def test_a_cleared_state_is_told_once_as_empty_and_then_forgotten():
    states = RetainedStates()
    states.set("camera", b"1")
    told(states)
    states.clear("camera")
    states.all_again()
    assert told(states) == [("camera", b"")]
    states.all_again()
    assert told(states) == []


def test_an_answer_about_what_is_not_kept_here_changes_nothing():
    states = RetainedStates()
    states.settled("health", b"{}", again=True, now_s=0.0)
    assert states.take(0.0) is None


def three(*topics: str) -> RetainedStates:
    states = RetainedStates()
    for topic in topics:
        states.set(topic, b"1")
    return states


LATER_S = 2 * SUSPECT_S


def one_by_one(states: RetainedStates, *, until: str = "", acknowledged: bool = False) -> list[str]:
    """Tell a burst with a pause after each, up to a topic on which the broker hangs up; returns what was taken."""
    states.all_again(one_by_one=True)
    taken, now_s = [], 10.0
    while due := states.take(now_s):
        taken.append(due[0])
        if due[0] == until and not acknowledged:
            break
        states.settled(*due, again=False, now_s=now_s)
        assert states.take(now_s) is None, "the broker may yet hang up on what it has just acknowledged"
        if due[0] == until:
            break
        now_s += LATER_S
    return taken


@pytest.mark.parametrize("acknowledged", [False, True])
def test_what_the_broker_hangs_up_on_is_found_one_by_one_and_goes_last_meanwhile(acknowledged):
    states = three("a", "b", "c")
    found = []
    for order in (["a", "b"], ["a", "c", "b"], ["a", "c", "b"]):
        assert one_by_one(states, until="b", acknowledged=acknowledged) == order
        found.append(states.hung_up(10.0 + (len(order) - 1) * LATER_S))
    assert found == ["", "", "b"]
    states.bar("b")
    assert one_by_one(states) == ["a", "c"]
    assert not states.set("b", b"2")
    states.unbar("b")
    assert states.take(99.0) == ("b", b"2")


def test_one_that_the_broker_took_alone_and_stayed_is_innocent():
    states = three("a", "b")
    one_by_one(states, until="a")
    assert states.hung_up(10.0) == ""
    assert one_by_one(states) == ["b", "a"]
    assert states.burst_told(99.0)
    for _ in range(2):
        one_by_one(states, until="a")
        assert states.hung_up(10.0 + LATER_S) == ""


def test_what_changes_meanwhile_waits_and_neither_starves_the_burst_nor_is_starved():
    states = three("a", "b", "c")
    states.all_again(one_by_one=True)
    now_s, taken = 10.0, []
    for number in range(40):
        states.set("a", str(number).encode())
        if due := states.take(now_s):
            taken.append(due[0])
            states.settled(*due, again=False, now_s=now_s)
        now_s += SUSPECT_S / 2
    assert taken[:3] == ["a", "b", "c"]
    assert taken[3:] == ["a"] * len(taken[3:]) != []
    assert states.burst_told(now_s)


def test_one_that_was_cleared_is_never_waited_for():
    states = three("a", "b")
    states.clear("b")
    one_by_one(states, until="b", acknowledged=True)
    assert states.hung_up(10.0 + LATER_S) == ""
    assert one_by_one(states) == ["a"]
    assert states.burst_told(99.0)


def test_a_broker_that_takes_nothing_has_no_topic_to_blame():
    states = three("a", "b")
    for _ in range(6):
        states.all_again(one_by_one=True)
        states.take(1.0)
        assert states.hung_up(1.0) == ""
    assert not states.took_any()


def test_what_is_held_back_is_neither_told_nor_waited_for():
    states = three("a")
    states.all_again(held_back=True)
    states.set("b", b"1")
    assert states.take(1.0) is None
    assert states.burst_told(1.0)
    assert len(states) == 0
    states.all_again()
    assert told(states) == [("a", b"1"), ("b", b"1")]
