import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes of this kind are not there")

PROGRAM = """
import os, sys, threading
from edged import logs
from edged.logs import native
end = native.take_over()
logs.configure(debug=True)
native.listen(end)
{say}
print("ours", file=sys.stderr)
os.close(2)
for one in threading.enumerate():
    if one.name == "native-stderr":
        one.join(10)
"""


def said(say: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(say=say)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_what_native_code_writes_becomes_lines_without_passwords():
    lines = said('os.write(2, b"[rtsp] open rtsp://joe:pass-word@cam/1 failed\\n\\n\\xff odd\\n")')
    native = [line for line in lines if " native " in line]
    assert native[0].endswith("said='[rtsp] open rtsp://joe:***@cam/1 failed'")
    assert len(native) == 2
    assert "ours" in lines


def test_a_flood_is_bounded_and_stops_nobody():
    flood = [
        "for n in range(20000):",
        "    try: os.write(2, b'x' * 99 + bytes([10]))",
        "    except BlockingIOError: pass",
    ]
    lines = said("\n".join(flood))
    native = [line for line in lines if " native " in line]
    assert 0 < len(native) < 1000
