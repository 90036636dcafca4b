import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.detection import Detections
from edged.tracking import TrackedFrame, Tracker, TrackOptions
from edged.tracking import tracker as tracker_module

LABELS = ("person", "car")
WIDTH, HEIGHT = 640, 480


def found(*boxes: tuple[float, float, float, float, float, int]) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 6)
    return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int32))


def standing(x: float = 100, y: float = 100, score: float = 0.8, label: int = 0) -> tuple[float, ...]:
    return (x, y, x + 40, y + 80, score, label)


class Camera:
    """A tracker, and the time."""

    def __init__(self, options: TrackOptions | None = None, rate: float = 10) -> None:
        self.tracker, self.now_s, self.step_s = Tracker(options or TrackOptions()), 0.0, 1 / rate
        self.started: list[int] = []
        self.ended: list[int] = []

    def see(self, *boxes, after_s: float | None = None, labels=LABELS, size=(WIDTH, HEIGHT)) -> TrackedFrame:
        self.now_s += self.step_s if after_s is None else after_s
        frame = self.tracker.update(found(*boxes), labels, self.now_s, width=size[0], height=size[1])
        self.started += frame.started
        self.ended += frame.ended
        return frame


def test_a_track_is_sure_after_a_few_detections_and_says_when_it_was_first_seen():
    camera = Camera()
    first = camera.see(standing())
    assert first.track_id.tolist() == [0]
    frames = [camera.see(standing()) for _ in range(2)]
    assert camera.started == [1]
    assert frames[-1].track_id.tolist() == [1]
    assert frames[-1].tracks.first_s.tolist() == [pytest.approx(0.1)]
    assert frames[-1].tracks.label == ("person",)


@pytest.mark.parametrize("rate", [0.2, 0.5, 1, 2])
def test_at_few_frames_a_second_two_detections_are_enough(rate):
    camera = Camera(rate=rate)
    camera.see(standing())
    assert camera.see(standing()).started == (1,)
    for _ in range(3):
        assert camera.see(standing()).track_id.tolist() == [1]


def test_low_scores_start_nothing_and_go_on_with_what_is_there():
    camera = Camera()
    for _ in range(10):
        camera.see(standing(score=0.3))
    assert camera.started == []
    for _ in range(3):
        camera.see(standing(score=0.8))
    frames = [camera.see(standing(score=0.15)) for _ in range(40)]
    assert all(frame.track_id.tolist() == [1] for frame in frames)
    assert frames[-1].tracks.best_score.tolist() == [pytest.approx(0.8)]
    assert camera.see(standing(score=0.05)).track_id.tolist() == [0]


def test_what_flickers_in_a_few_of_many_looks_is_not_sure():
    camera = Camera(rate=30)
    for number in range(90):
        camera.see(*[standing(score=0.45)] * (number % 4 == 0))
    assert camera.started == []


def test_what_is_always_there_and_seldom_of_a_high_score_is_sure():
    camera = Camera()
    for number in range(30):
        camera.see(standing(score=0.45 if number % 5 == 0 else 0.35))
    assert camera.started == [1]


@pytest.mark.parametrize("rate", [30, 10, 5])
def test_two_who_cross_keep_their_ids(rate):
    camera = Camera(rate=rate)
    for number in range(int(4 * rate)):
        at_s = number / rate
        boxes = [
            (60 + 100 * at_s, 100, 110 + 100 * at_s, 220, 0.8, 0),
            (460 - 100 * at_s, 110, 510 - 100 * at_s, 230, 0.7, 0),
        ]
        if abs(boxes[0][0] - boxes[1][0]) < 25:  # the one behind is not seen
            del boxes[1]
        ids = camera.see(*boxes).track_id.tolist()
    assert ids == [1, 2]
    assert camera.started == [1, 2]


def test_a_moving_track_is_kept_while_it_is_hidden_and_ends_once():
    camera = Camera()
    for number in range(15):
        camera.see((10 + 10 * number, 100, 60 + 10 * number, 200, 0.8, 0))
    for _ in range(8):
        hidden = camera.see()
    assert hidden.tracks.detection.tolist() == [-1]
    assert hidden.tracks.xyxy[0, 0] > 150 + 40
    back = camera.see((10 + 10 * 23, 100, 60 + 10 * 23, 200, 0.8, 0))
    assert back.track_id.tolist() == [1]
    ends = [camera.see().ended for _ in range(30)]
    assert [end for end in ends if end] == [(1,)]
    assert ends.index((1,)) == pytest.approx(20, abs=1)


def test_who_has_left_the_picture_is_lost_sooner():
    camera = Camera()
    for number in range(30):
        x = 400 + 10 * number
        camera.see(*[(x, 100, min(x + 60, WIDTH), 260, 0.8, 0)] * (x < WIDTH - 10))
    assert camera.ended == [1]


def test_labels_and_not_class_numbers_make_a_track():
    camera = Camera()
    for _ in range(5):
        camera.see(standing(label=0))
    swapped = [camera.see(standing(label=7), labels=("a",) * 7 + ("person",)) for _ in range(3)]
    assert [frame.track_id.tolist() for frame in swapped] == [[1]] * 3
    for _ in range(3):
        other = camera.see(standing(label=1))
    assert other.track_id.tolist() == [2]
    assert other.tracks.label == ("person", "car")


def test_a_model_without_labels_is_followed_by_its_numbers():
    camera = Camera()
    for _ in range(4):
        frame = camera.see(standing(label=3), labels=())
    assert frame.tracks.label == ("3",)


def test_what_stands_is_stationary_though_its_box_jitters():
    camera, rng = Camera(), np.random.default_rng(1)
    flags = []
    for _ in range(400):
        x, y = 100 + rng.normal(0, 2), 100 + rng.normal(0, 3)
        flags.append(bool(camera.see(*[standing(x, y)] * (rng.random() > 0.1)).tracks.stationary.any()))
    became = flags.index(True)
    assert 35 <= became <= 60
    assert all(flags[became:])
    assert camera.started == [1]


def test_what_walks_is_not_stationary_and_what_stood_and_walks_is_so_no_more():
    camera = Camera()
    for number in range(60):
        assert not camera.see(standing(10 + 2 * number)).tracks.stationary.any()
    for _ in range(60):
        stands = camera.see(standing(130))
    assert stands.tracks.stationary.all()
    for number in range(20):
        walks = camera.see(standing(130 + 4 * number))
    assert not walks.tracks.stationary.any()
    assert camera.started == [1]


def test_what_is_hidden_in_part_has_not_moved():
    camera = Camera()
    for _ in range(60):
        camera.see((100, 100, 200, 160, 0.8, 1))
    for _ in range(30):
        frame = camera.see((150, 100, 200, 160, 0.5, 1))
    assert frame.tracks.stationary.all()
    assert frame.track_id.tolist() == [1]


def test_who_comes_nearer_is_not_stationary():
    camera = Camera()
    for number in range(80):
        grown = 1 + number / 40
        frame = camera.see((300 - 20 * grown, 200 - 40 * grown, 300 + 20 * grown, 200 + 40 * grown, 0.8, 0))
    assert not frame.tracks.stationary.any()


def test_a_parked_car_that_is_hidden_for_long_is_the_same_car():
    camera = Camera()
    for _ in range(5):
        camera.see((100, 100, 200, 160, 0.8, 1))
    camera.now_s += 600
    camera.tracker.asleep(camera.now_s)
    for _ in range(200):
        hidden = camera.see()
    assert hidden.tracks.stationary.all()
    for _ in range(3):
        again = camera.see((103, 101, 202, 161, 0.8, 1))
    assert again.track_id.tolist() == [1]
    assert camera.started == [1]


def test_a_stationary_track_that_is_gone_ends_in_time():
    camera = Camera(TrackOptions(still_lost_s=10))
    for _ in range(5):
        camera.see(standing())
    camera.now_s += 600
    camera.tracker.asleep(camera.now_s)
    for _ in range(95):
        camera.see()
    assert camera.ended == []
    for _ in range(10):
        camera.see()
    assert camera.ended == [1]


def test_who_stood_and_walks_out_of_sight_is_not_waited_for_at_that_place():
    camera = Camera()
    for _ in range(200):
        camera.see(standing())
    for number in range(3):
        camera.see(standing(120 + 20 * number))
    for _ in range(30):
        camera.see()
    assert camera.ended == [1]


def test_while_the_gate_sleeps_nothing_is_lost_and_nothing_begins_anew():
    camera = Camera()
    for _ in range(5):
        camera.see(standing(), standing(300))
    for _ in range(600):
        camera.now_s += 10
        camera.tracker.asleep(camera.now_s)
    awake = camera.see(standing(), standing(301))
    assert awake.track_id.tolist() == [1, 2]
    assert awake.tracks.stationary.all()
    assert camera.started == [1, 2]
    assert camera.ended == []


def test_a_drop_out_of_a_second_loses_nobody_and_a_long_one_ends_who_moves():
    camera = Camera()
    for number in range(20):
        camera.see((10 + 5 * number, 100, 60 + 5 * number, 200, 0.8, 0))
    back = camera.see((105 + 60, 100, 155 + 60, 200, 0.8, 0), after_s=1.2)
    assert back.track_id.tolist() == [1]
    assert camera.tracker.expire(camera.now_s + 1) == ()
    assert camera.tracker.expire(camera.now_s + 3) == (1,)
    assert camera.tracker.expire(camera.now_s + 30) == ()


def test_a_new_resolution_loses_nobody():
    camera = Camera()
    for number in range(20):
        camera.see((10 + 5 * number, 100, 60 + 5 * number, 200, 0.8, 0))
    for number in range(20, 25):
        x = 2 * (10 + 5 * number)
        frame = camera.see((x, 200, x + 100, 400, 0.8, 0), size=(2 * WIDTH, 2 * HEIGHT))
        assert frame.track_id.tolist() == [1]


def test_other_options_are_in_force_at_once_and_tracks_stay():
    camera = Camera()
    for _ in range(5):
        camera.see(standing())
    camera.tracker.under(TrackOptions(lost_s=0.5))
    for _ in range(6):
        camera.see()
    assert camera.ended == [1]


def test_ids_go_on_where_they_were_left():
    tracker = Tracker(first_id=41)
    for number in range(4):
        frame = tracker.update(found(standing()), LABELS, number / 10, width=WIDTH, height=HEIGHT)
    assert frame.tracks.track_id.tolist() == [41]
    assert tracker.next_id == 42
    assert tracker.end_all() == (41,)
    assert tracker.end_all() == ()


def test_what_is_no_box_is_left_alone():
    camera, nan, inf = Camera(), float("nan"), float("inf")
    for _ in range(5):
        frame = camera.see(
            standing(),
            (nan, 0, 9, 9, 0.9, 0),
            (0, 0, inf, 9, 0.9, 0),
            (50, 50, 50, 90, 0.9, 0),
            (90, 50, 40, 90, 0.9, 0),
            (300, 300, 340, 380, nan, 0),
        )
    assert frame.track_id.tolist() == [1, 0, 0, 0, 0, 0]
    assert np.isfinite(frame.tracks.xyxy).all()


@pytest.mark.parametrize("at_s", [0.0, -1e9, float("nan"), float("-inf")])
def test_time_that_stands_still_or_goes_back_ends_nothing(at_s):
    camera = Camera()
    for _ in range(5):
        camera.see(standing())
    for _ in range(50):
        frame = camera.tracker.update(found(), LABELS, at_s, width=WIDTH, height=HEIGHT)
    assert frame.tracks.track_id.tolist() == [1]
    assert camera.see(standing()).track_id.tolist() == [1]


@pytest.mark.parametrize("gap_s", [60.0, 1e6, 1e12])
def test_a_huge_gap_gives_finite_boxes(gap_s):
    camera = Camera()
    for number in range(8):
        camera.see(standing(10 + 10 * number))
    frame = camera.see(after_s=gap_s)
    assert np.isfinite(frame.tracks.xyxy).all()
    for _ in range(3):
        camera.see(standing(300))
    assert camera.started[-1] <= 2


def test_thousands_of_frames_of_strangers_leave_nothing_behind(monkeypatch):
    monkeypatch.setattr(tracker_module, "MAX_LABELS", 50)
    camera, rng = Camera(), np.random.default_rng(0)
    for number in range(300):
        x, y = rng.uniform(0, 600), rng.uniform(0, 400)
        camera.see((x, y, x + 30, y + 30, 0.9, number), labels=())
    assert len(camera.tracker._tracks) <= 5
    assert len(camera.tracker._codes) == len(camera.tracker._labels) <= 60


boxes = st.tuples(
    st.floats(-50, 600, width=32),
    st.floats(-50, 440, width=32),
    st.floats(0, 200, width=32),
    st.floats(0, 200, width=32),
    st.floats(0, 1, width=32),
    st.integers(0, 2),
).map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3], box[4], box[5]))
jittered = st.tuples(
    st.sampled_from([(50, 50), (60, 55), (300, 200)]), st.floats(0.0625, 1, width=32), st.integers(0, 1)
).map(lambda spot: standing(*spot[0], spot[1], spot[2]))
steps = st.lists(
    st.tuples(
        st.lists(boxes | jittered, max_size=5),
        st.sampled_from([0.0, 0.03, 0.1, 0.2, 1.0, 5.0, 100.0, -3.0]),
        st.sampled_from(["look", "look", "look", "look", "asleep", "expire"]),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_ids_are_never_reused_and_starts_and_ends_balance(steps):
    tracker, now_s, alive, ever = Tracker(), 0.0, set(), set()
    for seen, passed_s, what in steps:
        now_s += passed_s
        if what == "asleep":
            tracker.asleep(now_s)
            continue
        if what == "expire":
            ended = tracker.expire(now_s)
            assert set(ended) <= alive
            alive -= set(ended)
            continue
        frame = tracker.update(found(*seen), LABELS, now_s, width=WIDTH, height=HEIGHT)
        assert not set(frame.started) & ever
        assert set(frame.ended) <= alive
        alive = (alive | set(frame.started)) - set(frame.ended)
        ever |= set(frame.started)
        tracks = frame.tracks
        assert tracks.track_id.tolist() == sorted(alive)
        given_ids = [n for n in frame.track_id.tolist() if n]
        assert len(given_ids) == len(set(given_ids))
        rows = tracks.detection[tracks.detection >= 0]
        assert frame.track_id[rows].tolist() == tracks.track_id[tracks.detection >= 0].tolist()
        assert len(rows) == len(given_ids)
        assert np.isfinite(tracks.xyxy).all()
        assert (tracks.xyxy[:, 2:] > tracks.xyxy[:, :2]).all()
        assert (tracks.xyxy >= 0).all()
        assert (tracks.xyxy <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        assert (tracks.seen_s >= tracks.first_s).all()
        assert (tracks.best_score >= tracks.score).all()
    assert set(tracker.end_all()) == alive


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.lists(boxes, max_size=5, unique_by=lambda box: box[:4]), max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_order_of_detections_does_not_matter(frames, chance):
    straight, mixed = Tracker(), Tracker()
    for number, seen in enumerate(frames * 2):
        order = list(range(len(seen)))
        chance.shuffle(order)
        first = straight.update(found(*seen), LABELS, number / 5, width=WIDTH, height=HEIGHT)
        second = mixed.update(
            found(*[seen[n] for n in order]), LABELS, number / 5, width=WIDTH, height=HEIGHT
        )
        same = {first.track_id[n]: second.track_id[order.index(n)] for n in order}
        assert sorted(first.tracks.xyxy.tolist()) == sorted(second.tracks.xyxy.tolist())
        assert (np.array(list(same)) > 0).tolist() == (np.array(list(same.values())) > 0).tolist()
