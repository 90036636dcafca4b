"""Where a camera may lead edged: to another address, as cameras do, and never to a file of this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import clips
import pytest

from edged.errors import EdgedError
from edged.sources.capture import SourceStatistics
from edged.sources.stream import open_source

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5.0,\n{piece}\n#EXT-X-ENDLIST\n"


@contextmanager
def camera(pages: dict[str, bytes], redirects: dict[str, str]) -> Iterator[str]:
    """Its address; ``PORT`` in what it says is its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            port = str(self.server.server_port)
            body = pages.get(self.path, b"").replace(b"PORT", port.encode())
            self.send_response(302 if self.path in redirects else 200)
            self.send_header("Location", redirects.get(self.path, "").replace("PORT", port))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def frames(url: str) -> int:
    stop, counts = threading.Event(), SourceStatistics()
    with open_source(url, name="c", stop=stop, statistics=counts, read_timeout_s=3.0) as source:
        return sum(1 for _ in zip(source.captures(), range(3), strict=False))


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    shown = [clips.solid_frame(64, 48, (20 + n, 128, 128)) for n in range(10)]
    return clips.write_clip(tmp_path_factory.mktemp("clip") / "clip.ts", shown, codec="mpeg2video")


@pytest.mark.parametrize("scheme", ["file://", "file:", ""])
def test_a_list_of_pieces_cannot_have_a_file_of_this_machine_shown(clip, scheme):
    pages = {"/list.m3u8": PLAYLIST.format(piece=f"{scheme}{clip}").encode()}
    with camera(pages, {}) as url, pytest.raises(EdgedError):
        frames(f"{url}/list.m3u8")


def test_a_list_of_pieces_of_the_camera_s_own_is_played(clip):
    piece = "http://127.0.0.1:PORT/clip.ts"
    pages = {"/list.m3u8": PLAYLIST.format(piece=piece).encode(), "/clip.ts": clip.read_bytes()}
    with camera(pages, {}) as url:
        assert frames(f"{url}/list.m3u8") == 3


def test_a_camera_may_send_us_to_another_address_and_not_to_a_file(clip):
    redirects = {"/there": "http://127.0.0.1:PORT/clip.ts", "/here": f"file://{clip}"}
    with camera({"/clip.ts": clip.read_bytes()}, redirects) as url:
        assert frames(f"{url}/there") == 3
        with pytest.raises(EdgedError):
            frames(f"{url}/here")
