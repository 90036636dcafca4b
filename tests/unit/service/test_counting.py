from edged.service.counting import MAX_LABELS, Counts


def test_only_what_has_changed_is_news_and_what_went_away_is_said_as_nothing() -> None:
    counts = Counts()
    counts.saw("front", "m", {"cat": 2, "dog": 1})
    assert sorted(counts.news()) == [("front", "cat", 2), ("front", "dog", 1)]
    assert counts.news() == []
    counts.saw("front", "m", {"cat": 2})
    assert counts.news() == [("front", "dog", 0)]
    counts.saw("front", "m", {"cat": 3})
    counts.saw("front", "m", {"cat": 2})
    assert counts.news() == []


def test_what_two_models_find_in_a_picture_is_added_up() -> None:
    counts = Counts()
    counts.saw("front", "one", {"cat": 2})
    counts.saw("front", "two", {"cat": 1})
    assert counts.news() == [("front", "cat", 3)]
    counts.saw("front", "one", {})
    assert counts.news() == [("front", "cat", 1)]


def test_labels_that_are_expected_are_said_before_they_are_found() -> None:
    counts = Counts()
    counts.expect("front", ["cat", "dog"])
    assert counts.news() == [("front", "cat", 0), ("front", "dog", 0)]
    counts.saw("front", "m", {"dog": 1})
    counts.expect("front", ["cat", "dog"])
    assert counts.news() == [("front", "dog", 1)]
    assert counts.labels("front") == ("cat", "dog")


def test_a_camera_without_a_picture_has_nothing_in_it() -> None:
    counts = Counts()
    counts.saw("front", "m", {"cat": 2})
    counts.saw("back", "m", {"cat": 1})
    counts.news()
    counts.sees_nothing("front")
    counts.sees_nothing("never seen")
    assert counts.news() == [("front", "cat", 0)]


def test_somebody_new_is_told_everything_again() -> None:
    counts = Counts()
    counts.saw("front", "m", {"cat": 2})
    assert counts.news() == counts.news(again=True) == [("front", "cat", 2)]


def test_a_camera_that_is_gone_leaves_its_labels_to_be_cleared() -> None:
    counts = Counts()
    counts.saw("front", "m", {"cat": 2})
    counts.news()
    assert counts.forget("front") == ["cat"]
    assert counts.forget("front") == []
    assert counts.news(again=True) == []


def test_labels_are_bounded() -> None:
    counts = Counts()
    counts.saw("front", "m", {str(number): 1 for number in range(MAX_LABELS + 50)})
    assert len(counts.news()) == MAX_LABELS
    assert counts.news() == []
