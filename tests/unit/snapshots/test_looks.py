"""What is to be blurred in which frame, and when that is known."""

import threading

import numpy as np

from edged.snapshots.looks import REMEMBERED, REMEMBERED_S, Look, Looks

PERSON = ("person",)


def look(
    *boxes: tuple[float, ...],
    labels: tuple[str, ...] = PERSON,
    seen: tuple[str, ...] | None = None,
    regions=(),
) -> Look:
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return Look(frozenset(labels), frozenset(labels if seen is None else seen), found, regions)


def key(number: int) -> tuple[int, float]:
    return number, float(number)


def test_a_frame_counts_once_every_model_has_looked_at_it() -> None:
    looks = Looks()
    looks.add("front", "a", key(1), look((1, 1, 2, 2)))
    assert looks.of("front", ["a", "b"], key(1), PERSON) is None
    assert not looks.passed("front", ["a", "b"], key(1))
    looks.add("front", "b", key(1), look((3, 3, 4, 4)))
    found = looks.of("front", ["a", "b"], key(1), PERSON)
    assert found is not None
    assert found.boxes.tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]


def test_another_frame_of_the_same_number_is_another_frame() -> None:
    looks = Looks()
    looks.add("front", "a", (1, 50.0), look())
    assert looks.of("front", ["a"], (1, 60.0), PERSON) is None


def test_a_model_that_has_looked_at_a_later_frame_only_will_not_look_at_this_one() -> None:
    looks = Looks()
    looks.add("front", "a", key(3), look())
    assert looks.passed("front", ["a"], key(2))
    assert not looks.passed("front", ["a"], key(3))
    assert not looks.passed("front", ["a"], key(4))
    assert looks.wait_for("front", ["a"], key(2), PERSON, 30.0) is None


def test_who_looked_for_less_has_not_looked() -> None:
    looks = Looks()
    looks.add("front", "a", key(1), look())
    assert looks.of("front", ["a"], key(1), ("person", "face")) is None
    assert looks.of("front", [], key(1), PERSON) is None


def test_a_label_that_nobody_would_have_found_was_not_looked_for() -> None:
    both, looks = ("person", "face"), Looks()
    looks.add("front", "a", key(1), look(labels=both, seen=PERSON))
    looks.add("front", "b", key(1), look(labels=both, seen=()))
    assert looks.of("front", ["a", "b"], key(1), both) is None
    looks.add("front", "c", key(1), look(labels=both, seen=("face",)))
    assert looks.of("front", ["a", "b", "c"], key(1), both) is not None


def test_what_only_some_have_looked_at_counts_as_not_looked_at() -> None:
    looks = Looks()
    looks.add("front", "a", key(1), look(regions=((0, 0, 10, 10), (20, 0, 30, 10))))
    looks.add("front", "b", key(1), look(regions=((5, 5, 25, 20),)))
    looks.add("front", "c", key(1), look())
    both = looks.of("front", ["a", "b", "c"], key(1), PERSON)
    assert both is not None
    assert both.regions == ((5, 5, 10, 10), (20, 5, 25, 10))
    looks.add("front", "d", key(1), look(regions=((50, 50, 60, 60),)))
    apart = looks.of("front", ["a", "d"], key(1), PERSON)
    assert apart is not None
    assert apart.regions == ((0, 0, 0, 0),)  # nothing, rather than everything


def test_old_frames_are_forgotten_and_so_are_cameras() -> None:
    looks = Looks()
    for number in range(REMEMBERED + 1):
        looks.add("front", "a", (number, 0.0), look())
    assert looks.of("front", ["a"], (0, 0.0), PERSON) is None
    assert looks.of("front", ["a"], (1, 0.0), PERSON) is not None
    looks.add("front", "a", key(1), look())
    looks.add("front", "a", (9999, REMEMBERED_S + 0.5), look())
    assert looks.of("front", ["a"], (1, 0.0), PERSON) is None
    assert looks.of("front", ["a"], key(1), PERSON) is not None
    looks.forget("front")
    assert looks.of("front", ["a"], key(1), PERSON) is None


def test_who_waits_is_told() -> None:
    looks, found = Looks(), []
    thread = threading.Thread(target=lambda: found.append(looks.wait_for("front", ["a"], key(1), PERSON, 10)))
    thread.start()
    looks.add("front", "a", key(1), look())
    thread.join(5)
    assert found[0] is not None
