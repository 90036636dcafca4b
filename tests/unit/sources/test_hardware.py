"""The choice of a decoder, with a double at the door to the hardware; and the fallback where there is none."""

import threading

import av
import pytest
from clips import counting_clip

from edged.sources.capture import SourceStatistics
from edged.sources.decoder import PATIENCE_PACKETS, Decoder
from edged.sources.hardware import DecoderChoice, FFmpegHardware, NoDecoder
from edged.sources.stream import open_source


class Machine:
    """Hardware as a test wants it; its decoders are FFmpeg's own."""

    def __init__(self, *kinds):
        self.kinds, self.asked = kinds, []

    def accelerator(self, kind):
        self.asked.append(kind)
        if kind not in self.kinds:
            raise NoDecoder("no device")
        return f"accelerator {kind}"

    def decoder(self, name, extradata):
        self.asked.append(name)
        codec, _, kind = name.partition("_")
        if kind not in self.kinds:
            raise NoDecoder("no device takes this codec")
        return av.CodecContext.create(codec, "r")


class Context:
    name = "h264"
    extradata = None

    def __init__(self, *, is_hwaccel):
        self.is_hwaccel = is_hwaccel


class Stream:
    def __init__(self, *, is_hwaccel=False):
        self.codec_context = av.CodecContext.create("h264", "r")
        if is_hwaccel:
            self.codec_context = Context(is_hwaccel=True)


def text(wanted, machine, *, live=True):
    return DecoderChoice(wanted, machine).decoder(Stream(), live=live).text


def test_software_asks_for_nothing():
    machine = Machine("vaapi", "qsv")
    assert text("software", machine) == "h264"
    assert machine.asked == []


@pytest.mark.parametrize("kind", ["qsv", "v4l2m2m"])
def test_a_decoder_of_another_name_is_taken_for_streams_and_not_for_files(kind):
    assert text(kind, Machine(kind)) == f"h264 {kind}"
    assert text(kind, Machine(kind), live=False) == f"h264 ({kind}: for streams only)"
    assert text(kind, Machine()) == f"h264 ({kind}: no device takes this codec)"


def test_auto_takes_the_first_that_is_there_and_says_where_none_is():
    machine = Machine("v4l2m2m")
    assert text("auto", machine) == "h264 v4l2m2m"
    assert machine.asked == ["vaapi", "cuda", "h264_qsv", "h264_v4l2m2m"]
    assert text("auto", Machine()) == "h264 (no hardware decoder)"
    assert DecoderChoice("auto", Machine("cuda", "qsv")).accelerator == "accelerator cuda"


def test_an_accelerator_that_does_not_take_the_codec_is_said():
    assert text("vaapi", Machine("vaapi")) == "h264 (vaapi: does not take h264)"
    assert text("vaapi", Machine()) == "h264 (vaapi: no device)"


def frames_of(clip, decoder_of):
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        decoder = decoder_of(stream.codec_context)
        return decoder, [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]


def test_hardware_that_gives_no_frame_is_left_for_software(tmp_path):
    clip = counting_clip(tmp_path / "a.mkv", PATIENCE_PACKETS + 20)
    useless = av.CodecContext.create("h264", "r")
    decoder, frames = frames_of(clip, lambda own: Decoder(useless, "ffv1 qsv", spare=own))
    assert decoder.text == "ffv1 (qsv: does not take this stream)"
    assert 0 < len(frames) <= 20  # from its next key frame on
    assert decoder.unreadable >= PATIENCE_PACKETS


def test_an_accelerator_that_fell_back_is_known_by_its_frames(tmp_path):
    clip = counting_clip(tmp_path / "a.mkv", 3)
    decoder, frames = frames_of(clip, lambda own: Decoder(own, "ffv1 cuda", accelerated=True))
    assert decoder.text == "ffv1 (cuda: does not take this stream)"
    assert len(frames) == 3


@pytest.mark.parametrize("kind", ["vaapi", "cuda", "qsv", "v4l2m2m", "auto"])
def test_on_this_machine_every_choice_decodes_and_says_by_what(tmp_path, kind):
    clip = counting_clip(tmp_path / "a.mkv", 5)
    with open_source(
        str(clip), name="front", stop=threading.Event(), statistics=SourceStatistics(), decoder=kind
    ) as source:
        assert len(list(source.captures())) == 5
        assert source.decoder.startswith("ffv1 ")


def test_a_decoder_that_this_ffmpeg_does_not_have_is_named_as_such():
    with pytest.raises(NoDecoder, match="not in this build"):
        FFmpegHardware().decoder("h264_nonsense", None)
