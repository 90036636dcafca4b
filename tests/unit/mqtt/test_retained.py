from edged.mqtt.retained import RetainedStates


def told(states: RetainedStates) -> list[tuple[str, bytes]]:
    """Take and settle all that is due."""
    taken = []
    while (due := states.take()) is not None:
        states.settled(*due, again=False)
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
    first = states.take()
    states.set("camera", b"2")
    assert states.take() is None
    assert len(states) == 2
    assert first is not None
    states.settled(*first, again=False)
    assert told(states) == [("camera", b"2")]


def test_a_state_the_broker_did_not_take_now_is_due_again():
    states = RetainedStates()
    states.set("camera", b"1")
    due = states.take()
    assert due is not None
    states.settled(*due, again=True)
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
    states.settled("health", b"{}", again=True)
    assert states.take() is None
