from edged.doctor import kinds
from edged.doctor.findings import Kind, Status, document, exit_code, worst


def test_nothing_that_is_found_shows_a_password() -> None:
    found = kinds.CAMERA_REFUSED.found(
        "cameras.front", "rtsp://joe:hidden@cam/1: refused", do="correct rtsp://joe:hidden@cam/1?token=hidden"
    )
    assert "hidden" not in found.seen + found.remedy
    assert "joe:***@cam" in found.seen


def test_what_a_stranger_says_is_one_line_and_moves_no_cursor() -> None:
    found = kinds.MACHINE.found("x", "a\n\x1b[2Jb")
    assert found.seen == "a ·[2Jb"


def test_what_is_wrong_here_counts_more_than_what_is_out_of_reach() -> None:
    away = kinds.BROKER_UNREACHABLE.found("broker", "refused", do="start it")
    wrong = kinds.STORE_MISSING.found("/store", "no such folder", user="edged", path="/store")
    warning = kinds.DISK_SHORT.found("disk", "100 MiB left", path="/")
    assert exit_code([warning]) == 0
    assert exit_code([warning, away]) == 69
    assert exit_code([away, wrong, warning]) == 78


def test_the_document_is_as_bad_as_its_worst_finding() -> None:
    note = kinds.NO_DAEMON.found("daemon", "none")
    error = kinds.BROKER_UNREACHABLE.found("broker", "refused", do="start it")
    assert worst([]) is Status.OK
    told = document([note, error], version="1.2.3", configuration=None)
    assert (told["schema"], told["status"], told["exit_code"]) == ("edged.doctor/1", "error", 69)
    assert told["findings"][1] == {
        "kind": "broker-unreachable",
        "area": "broker",
        "status": "error",
        "subject": "broker",
        "seen": "refused",
        "remedy": "start it",
    }


def test_every_kind_has_its_name_once_and_only_errors_have_an_exit_code() -> None:
    names = [kind.name for kind in kinds.ALL]
    assert len(set(names)) == len(names)
    for kind in kinds.ALL:
        assert (kind.exit_code in {69, 78}) == (kind.status is Status.ERROR), kind.name


def test_what_is_wrong_has_a_remedy() -> None:
    def lacks(kind: Kind) -> bool:
        return kind.status in {Status.WARNING, Status.ERROR} and not kind.remedy

    assert [kind.name for kind in kinds.ALL if lacks(kind)] == []
