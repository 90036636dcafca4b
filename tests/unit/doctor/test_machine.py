from dataclasses import replace

from edged.doctor.machine import DecoderFacts, MachineFacts, decoder_findings, findings, moment

NOW_S = 1_795_000_000.0
FINE = MachineFacts("a processor", 4, 8 << 30, 4 << 30, "Linux 6.1", NOW_S, NOW_S - 1e6, True)


def kinds_of(facts: MachineFacts) -> list[str]:
    return [found.kind for found in findings(facts)]


def test_a_good_machine_is_described_in_one_line() -> None:
    told, clock = findings(FINE)
    assert told.seen == "a processor, 4 cores, 4.0 GiB of 8.0 GiB free, Linux 6.1"
    assert clock.seen.endswith("UTC, synchronised")


def test_a_clock_before_the_day_edged_was_installed_is_wrong() -> None:
    facts = replace(FINE, now_s=0.0)
    (clock,) = [found for found in findings(facts) if found.kind == "clock-behind"]
    assert "1970-01-01" in clock.seen
    assert clock.exit_code == 78
    assert kinds_of(replace(FINE, now_s=FINE.installed_s - 3600)) == ["machine", "clock"]


def test_a_clock_that_nothing_keeps_right_is_a_note() -> None:
    assert kinds_of(replace(FINE, synchronised=False)) == ["machine", "clock-unsynchronised"]
    assert kinds_of(replace(FINE, synchronised=None)) == ["machine", "clock"]


def test_little_free_memory_is_a_warning_and_unknown_memory_is_none() -> None:
    assert "memory-short" in kinds_of(replace(FINE, free_bytes=100 << 20))
    assert "memory-short" not in kinds_of(replace(FINE, free_bytes=0, memory_bytes=0))


def test_a_time_that_no_calendar_has_is_told_all_the_same() -> None:
    assert moment(1e20) == "100000000000000000000 s after 1970"


def test_decoders_that_work_are_listed_and_one_that_is_asked_for_in_vain_is_named() -> None:
    facts = DecoderFacts({"vaapi": "", "cuda": "no device /dev/nvidiactl"})
    found = list(decoder_findings(facts, {"cameras.front.decoder": "cuda", "cameras.back.decoder": "vaapi"}))
    assert [(one.kind, one.subject) for one in found] == [
        ("decoders", "decoders"),
        ("decoder-missing", "cameras.front.decoder"),
    ]
    assert found[0].seen == "vaapi"
    assert "no device /dev/nvidiactl" in found[1].seen


def test_no_decoder_at_all_is_a_note_with_the_reasons() -> None:
    (found,) = decoder_findings(DecoderFacts({"vaapi": "no device /dev/dri"}), {})
    assert (found.kind, found.seen) == ("no-decoders", "no hardware (vaapi: no device /dev/dri)")


def test_a_driver_that_crashes_is_a_finding() -> None:
    (found,) = decoder_findings(DecoderFacts(ended="the process that asked ended with SIGSEGV"), {})
    assert found.kind == "decoders-unknown"
    assert "driver" in found.remedy
    (found,) = decoder_findings(DecoderFacts(ended="no answer within 2 s", late=True), {})
    assert found.remedy == "edged doctor --timeout 120"
