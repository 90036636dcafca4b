from edged.service.counting import MAX_KEYS, Counts


def test_only_what_has_changed_is_news_and_what_went_away_is_said_as_nothing() -> None:
    counts = Counts()
    counts.saw("front", "m", {("", "cat"): 2, ("", "dog"): 1})
    assert sorted(counts.news()) == [("front", ("", "cat"), 2), ("front", ("", "dog"), 1)]
    assert counts.news() == []
    counts.saw("front", "m", {("", "cat"): 2})
    assert counts.news() == [("front", ("", "dog"), 0)]
    counts.saw("front", "m", {("", "cat"): 3})
    counts.saw("front", "m", {("", "cat"): 2})
    assert counts.news() == []


def test_what_two_models_find_in_a_picture_is_added_up() -> None:
    counts = Counts()
    counts.saw("front", "one", {("", "cat"): 2})
    counts.saw("front", "two", {("", "cat"): 1})
    assert counts.news() == [("front", ("", "cat"), 3)]
    counts.saw("front", "one", {})
    assert counts.news() == [("front", ("", "cat"), 1)]


def test_labels_that_are_expected_are_said_before_they_are_found() -> None:
    counts = Counts()
    counts.expect("front", ["cat", "dog"])
    assert counts.news() == [("front", ("", "cat"), 0), ("front", ("", "dog"), 0)]
    counts.saw("front", "m", {("", "dog"): 1})
    counts.expect("front", ["cat", "dog"])
    assert counts.news() == [("front", ("", "dog"), 1)]
    assert counts.labels("front") == ("cat", "dog")


def test_a_camera_without_a_picture_has_nothing_in_it() -> None:
    counts = Counts()
    counts.saw("front", "m", {("", "cat"): 2})
    counts.saw("back", "m", {("", "cat"): 1})
    counts.news()
    counts.saw("front", "m", {})
    assert counts.news() == [("front", ("", "cat"), 0)]


def test_somebody_new_is_told_everything_again() -> None:
    counts = Counts()
    counts.saw("front", "m", {("", "cat"): 2})
    assert counts.news() == counts.news(again=True) == [("front", ("", "cat"), 2)]


def test_a_camera_that_is_gone_leaves_its_labels_to_be_cleared() -> None:
    counts = Counts()
    counts.saw("front", "m", {("", "cat"): 2})
    counts.news()
    assert counts.forget("front") == [("", "cat")]
    assert counts.forget("front") == []
    assert counts.news(again=True) == []


def test_labels_are_bounded() -> None:
    counts = Counts()
    counts.saw("front", "m", {("", str(number)): 1 for number in range(MAX_KEYS + 50)})
    assert len(counts.news()) == MAX_KEYS
    assert counts.news() == []


def test_zones_say_0_of_what_they_may_hold() -> None:
    counts = Counts()
    assert counts.under("front", {"yard": (), "gate": ("cat",)}, {}) == []
    counts.saw("front", "m", {("", "dog"): 2, ("yard", "dog"): 1})
    assert {key: count for _, key, count in counts.news()} == {
        ("", "dog"): 2,
        ("yard", "dog"): 1,
        ("gate", "cat"): 0,
    }
    counts.saw("front", "m", {("", "dog"): 1})
    assert sorted(counts.news()) == [("front", ("", "dog"), 1), ("front", ("yard", "dog"), 0)]


def test_zones_and_lines_that_go_away_are_not_counted_any_more() -> None:
    counts = Counts()
    counts.under("front", {"yard": (), "gate": ()}, {"door": ()})
    counts.saw("front", "m", {("", "dog"): 1, ("yard", "dog"): 1, ("gate", "dog"): 0})
    counts.crossed("front", "m", {("door", "dog", "in"): 3})
    assert ("front", ("door", "dog", "in"), 3) in counts.news()
    gone = counts.under("front", {"gate": ("cat",)}, {})
    assert set(gone) == {("yard", "dog"), ("gate", "dog"), ("door", "dog", "in"), ("door", "dog", "out")}
    assert counts.news() == [("front", ("gate", "cat"), 0)]
    assert counts.keys("front") == (("", "dog"), ("gate", "cat"))


def test_crossings_of_two_models_are_added_up_and_stay_when_nothing_is_seen() -> None:
    counts = Counts()
    counts.under("front", {}, {"door": ()})
    counts.crossed("front", "one", {("door", "dog", "in"): 3})
    counts.crossed("front", "two", {("door", "dog", "in"): 1})
    counts.saw("front", "one", {})
    assert counts.news() == [("front", ("door", "dog", "in"), 4)]


def test_what_a_run_before_left_there_is_said_to_be_gone() -> None:
    counts = Counts()
    counts.under("front", {"yard": ()}, {})
    counts.expect_keys("front", [("", "dog"), ("yard", "dog")])
    assert counts.news() == [("front", ("", "dog"), 0), ("front", ("yard", "dog"), 0)]
