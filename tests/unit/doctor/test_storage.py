from dataclasses import replace

from edged.doctor.storage import FolderFacts, state_findings, store_findings

STORE = FolderFacts("/var/lib/edged/models", owner="edged")
STATE = FolderFacts("/var/lib/edged", owner="edged")
OUTBOX = FolderFacts("/var/lib/edged/outbox", owner="edged")


def of_store(store: FolderFacts, *, needed: bool = True) -> dict[str, str]:
    return {
        one.kind: f"{one.seen} | {one.remedy}" for one in store_findings(store, needed=needed, user="joe")
    }


def of_state(state: FolderFacts = STATE, outbox: FolderFacts = OUTBOX, *, spool_bytes: int = 256 << 20):
    found = state_findings(state, outbox, spool_bytes=spool_bytes, user="joe", said=False)
    return {one.kind: f"{one.seen} | {one.remedy}" for one in found}


def test_a_store_that_can_be_written_is_fine() -> None:
    assert list(of_store(STORE)) == ["store"]
    assert list(of_state()) == ["state"]


def test_a_missing_store_matters_where_a_model_is_to_come_from_it() -> None:
    missing = replace(STORE, exists=False)
    assert "sudo install -d -o joe /var/lib/edged/models" in of_store(missing)["store-missing"]
    assert of_store(missing, needed=False) == {}


def test_a_file_is_no_store() -> None:
    assert "is no folder" in of_store(replace(STORE, is_folder=False))["store-missing"]


def test_a_store_of_another_user_cannot_be_read_or_cannot_be_written() -> None:
    hidden = of_store(replace(STORE, readable=False, writable=False))
    assert "belongs to edged" in hidden["store-unreadable"]
    assert "sudo chown -R joe" in hidden["store-unreadable"]
    assert list(of_store(replace(STORE, writable=False))) == ["store-readonly"]


def test_a_file_system_mounted_read_only_is_mounted_anew() -> None:
    bare = {"writable": False, "read_only": True, "mount": "/data"}
    assert "mount -o remount,rw /data" in of_store(replace(STORE, **bare))["store-readonly"]
    assert "mount -o remount,rw /data" in of_state(replace(STATE, **bare))["disk-readonly"]


def test_a_state_folder_of_another_user_keeps_no_results() -> None:
    told = of_state(outbox=replace(OUTBOX, writable=False))["state-unwritable"]
    assert "/var/lib/edged/outbox" in told
    assert "belongs to edged" in told
    unmade = of_state(replace(STATE, exists=False, writable=False, owner="root"))["state-unwritable"]
    assert "cannot be made" in unmade


def test_a_disk_that_is_short_full_or_out_of_files_is_said() -> None:
    assert "disk-short" in of_store(replace(STORE, free_bytes=200 << 20))
    assert "disk-full" in of_store(replace(STORE, free_bytes=10 << 20))
    assert "disk-full" in of_store(replace(STORE, free_files=3))
    assert "disk-full" in of_state(replace(STATE, free_bytes=1 << 20))
    assert list(of_store(replace(STORE, free_files=100_000))) == ["store"]


def test_one_disk_is_said_once() -> None:
    full = replace(STATE, free_bytes=1 << 20)
    found = state_findings(full, OUTBOX, spool_bytes=1 << 20, user="joe", said=True)
    assert "disk-full" not in [one.kind for one in found]


def test_an_outbox_larger_than_what_is_free_is_made_smaller() -> None:
    state, spool = replace(STATE, free_bytes=1 << 30), 2 << 30
    assert 'spool_max_bytes = "512MiB"' in of_state(state, spool_bytes=spool)["outbox-room"]
    filled = replace(OUTBOX, used_bytes=3 << 29)
    assert "outbox-room" not in of_state(state, filled, spool_bytes=spool)
