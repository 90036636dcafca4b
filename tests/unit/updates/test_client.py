"""What a program that takes no updates pays for those who do."""

import subprocess
import sys


def test_the_client_loads_tuf_and_zstandard_only_when_it_looks():
    code = """
import sys
import edged.updates.client
heavy = ("tuf", "securesystemslib", "urllib3", "backports.zstd", "compression.zstd")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
