from edged.mqtt import barred
from edged.mqtt.barred import BarredTopics


def test_a_topic_is_tried_again_and_waits_twice_as_long_each_time():
    topics = BarredTopics()
    assert not topics.holds("a")
    now_s, waits = 0.0, []
    for _ in range(10):
        waits.append(topics.bar("a", now_s))
        assert topics.holds("a")
        assert topics.over(now_s + waits[-1] - 1) == []
        now_s += waits[-1]
        assert topics.over(now_s) == ["a"]
        assert not topics.holds("a")
    assert waits[:3] == [barred.FIRST_S, 2 * barred.FIRST_S, 4 * barred.FIRST_S]
    assert waits[-1] == barred.LONGEST_S


def test_once_the_broker_took_a_message_there_the_next_time_is_a_first_one():
    topics = BarredTopics()
    topics.bar("a", 0.0)
    topics.bar("a", 0.0)
    topics.forget("a")
    assert topics.bar("a", 0.0) == barred.FIRST_S
