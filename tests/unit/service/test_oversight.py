import faulthandler
import sys
import threading
from types import SimpleNamespace

import pytest
import structlog
from managers import Datagrams

from edged.errors import ConfigurationError, EdgedError
from edged.heartbeat import Heartbeat, hearts
from edged.service.oversight import Oversight
from edged.service.runfile import RunFile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no service manager of this kind")


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield
    faulthandler.enable(sys.__stderr__)


@pytest.fixture
def manager(monkeypatch):
    with Datagrams() as end:
        monkeypatch.setenv("NOTIFY_SOCKET", end.path)
        yield end


def oversight(folder=None) -> Oversight:
    return Oversight(folder, remember=lambda _: None)


def test_a_start_asks_for_time_until_serving_has_begun_and_no_more_after_it(manager):
    with oversight() as one:
        one.comes_round()
        one.comes_round()
        one.serves()
        one.comes_round()
        assert manager.hears(b"READY=1")
    assert manager.heard == [b"EXTEND_TIMEOUT_USEC=30000000", b"READY=1"]


def test_a_reload_is_told_and_ends_whatever_comes_of_it(manager):
    with oversight() as one:
        one.serves()
        with pytest.raises(KeyError), one.reload():
            raise KeyError("wrong file")
        assert manager.wait_for(lambda heard: len(heard) == 3)
    kinds = [datagram.partition(b"\n")[0] for datagram in manager.heard]
    assert kinds == [b"READY=1", b"RELOADING=1", b"READY=1"]


def test_the_end_is_told_and_written_down(manager, tmp_path):
    with oversight(tmp_path) as one:
        one.ends("SIGTERM")
        one.ended(0)
        assert manager.hears(b"STOPPING=1")
    assert (oversight(tmp_path).previous_end.how, oversight(tmp_path).previous_end.why) == (
        "clean",
        "SIGTERM",
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConfigurationError("http.listen", "is taken"), "ConfigurationError: http.listen: is taken"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_an_error_that_nobody_took_is_the_last_word(tmp_path, error, why):
    with pytest.raises(type(error)), oversight(tmp_path):
        raise error
    end = RunFile(tmp_path).previous
    assert (end.how, end.why) == ("error", why)


def test_a_thread_that_died_and_is_missed_ends_the_run():
    heart = Heartbeat(5.0)

    def die() -> None:
        with heart:
            raise KeyError("a bug")

    with oversight() as one:
        one.comes_round()
        thread = threading.Thread(target=die, name="outbox")
        thread.start()
        thread.join()
        try:
            assert one.reasons() == ["thread outbox died (KeyError: 'a bug')"]
            with pytest.raises(EdgedError, match="thread outbox: died") as ended:
                one.comes_round()
            assert ended.value.exit_code == 70
        finally:
            with heart:  # for the tests that follow
                pass
    assert all(one is not heart for one in hearts())


def test_cameras_that_begin_or_cease_to_hang_are_found_once():
    camera = SimpleNamespace(camera=SimpleNamespace(hangs=False))
    one = oversight()
    assert one.hanging_anew([camera]) == []
    camera.camera.hangs = True
    assert one.hanging_anew([camera]) == [camera]
    assert one.hanging_anew([camera]) == []
    camera.camera.hangs = False
    assert one.hanging_anew([camera]) == [camera]
