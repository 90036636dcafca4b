from edged.mqtt.retained import PAUSE_S, RetainedStates


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


def settle(states: RetainedStates, topic: str, now_s: float) -> None:
    states.settled(topic, b"1", again=False, now_s=now_s)


def three(*topics: str) -> RetainedStates:
    states = RetainedStates()
    for topic in topics:
        states.set(topic, b"1")
    return states


def test_what_was_in_flight_at_a_hang_up_goes_alone_and_last_until_it_is_cleared_or_the_cause():
    states = three("a", "b", "c")
    assert [states.take(0.0), states.take(0.0)] == [("a", b"1"), ("b", b"1")]
    settle(states, "a", 0.0)
    assert states.hung_up(1.0) == []  # b, and not a any more
    for end in (2, 3):
        states.all_again()
        assert [states.take(10.0), states.take(10.0), states.take(10.0)] == [("a", b"1"), ("c", b"1"), None]
        settle(states, "a", 10.0)
        settle(states, "c", 10.0)
        assert states.take(10.0) is None  # the broker may yet hang up on what it has just acknowledged
        assert states.take(10.0 + 2 * PAUSE_S) == ("b", b"1")
        assert states.hung_up(11.0) == (["b"] if end == 3 else [])
    states.bar("b")
    states.all_again()
    assert told(states) == [("a", b"1"), ("c", b"1")]
    assert not states.set("b", b"2")
    assert len(states) == 0
    states.unbar("b")
    assert told(states) == [("b", b"2")]


def test_one_that_the_broker_took_alone_and_stayed_is_cleared():
    states = three("a", "b")
    states.take(0.0)
    states.hung_up(0.0)
    states.all_again()
    assert states.take(1.0) == ("b", b"1")
    settle(states, "b", 1.0)
    assert states.take(2.0) == ("a", b"1")
    settle(states, "a", 2.0)
    assert states.suspects
    assert states.take(2.0 + 2 * PAUSE_S) is None
    assert not states.suspects


def test_a_broker_that_hangs_up_on_an_acknowledged_state_is_seen_through():
    states = three("a", "b")
    for end in (1, 2, 3):
        states.all_again()
        told_s = float(end)
        while due := states.take(told_s):
            settle(states, due[0], told_s)
            if due[0] == "a":
                break
            told_s += 2 * PAUSE_S
        assert states.hung_up(told_s) == (["a"] if end == 3 else [])


def test_a_broker_that_takes_nothing_has_no_topic_to_blame():
    states = three("a", "b")
    for end in range(6):
        states.all_again()
        states.take(float(end))
        assert states.hung_up(float(end)) == []
