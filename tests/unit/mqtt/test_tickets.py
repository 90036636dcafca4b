from edged.mqtt.records import Received
from edged.mqtt.tickets import Ticket, Tickets


def message(packet: int, payload: bytes = b"row", *, again: bool = False) -> Received:
    return Received("t", payload, retained=False, packet=packet, again=again)


def taken(tickets: Tickets, received: Received) -> Ticket:
    ticket = tickets.received(received)
    assert ticket is not None
    return ticket


def test_nothing_is_due_before_it_is_settled():
    tickets = Tickets()
    assert tickets.due() == []
    taken(tickets, message(1))
    assert tickets.due() == []
    assert len(tickets) == 1


def test_what_is_settled_early_waits_for_those_before_it():
    tickets = Tickets()
    first, second, third = (taken(tickets, message(packet)) for packet in (7, 3, 9))
    second.settled = third.settled = True
    assert tickets.due() == []
    first.settled = True
    assert tickets.due() == [7, 3, 9]
    assert tickets.due() == []
    assert len(tickets) == 0


def test_what_an_earlier_connection_brought_is_not_acknowledged_on_a_later_one():
    tickets = Tickets()
    early = taken(tickets, message(1))
    tickets.begin(resumed=True)
    early.settled = True
    assert tickets.due() == []


def test_what_comes_again_is_not_taken_in_twice_and_is_acknowledged_in_its_new_order():
    tickets = Tickets()
    first, second = taken(tickets, message(1, b"one")), taken(tickets, message(2, b"two"))
    tickets.begin(resumed=True)
    assert tickets.received(message(1, b"one", again=True)) is None
    assert tickets.received(message(2, b"two", again=True)) is None
    third = taken(tickets, message(3, b"three"))
    second.settled = third.settled = True
    assert tickets.due() == []
    first.settled = True
    assert tickets.due() == [1, 2, 3]


def test_what_was_settled_while_there_was_no_connection_is_acknowledged_when_it_comes_again():
    tickets = Tickets()
    ticket = taken(tickets, message(1))
    tickets.begin(resumed=True)
    ticket.settled = True
    assert tickets.received(message(1, again=True)) is None
    assert tickets.due() == [1]


def test_what_comes_again_after_two_connections_is_known_still():
    tickets = Tickets()
    taken(tickets, message(1))
    tickets.begin(resumed=True)
    tickets.begin(resumed=True)
    assert tickets.received(message(1, again=True)) is None


def test_without_the_session_an_identifier_is_that_of_another_message():
    tickets = Tickets()
    taken(tickets, message(1))
    tickets.begin(resumed=False)
    assert tickets.received(message(1, again=True)) is not None


def test_another_message_under_a_known_identifier_is_taken_in():
    tickets = Tickets()
    taken(tickets, message(1, b"one"))
    taken(tickets, message(2, b"two"))
    tickets.begin(resumed=True)
    assert tickets.received(message(1, b"other", again=True)) is not None
    assert tickets.received(message(2, b"two", again=False)) is not None
    tickets.begin(resumed=True)
    assert tickets.received(message(1, b"other", again=True)) is None
