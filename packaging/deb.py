"""Builds the Debian package: `make deb`. Why in this way: ADR 18.

    dist/edged_VERSION_ARCHITECTURE.deb
        /opt/edged                      a virtual environment; its interpreter is the system's
        /usr/bin/edged                  → /opt/edged/bin/edged
        /usr/lib/systemd/system, sysusers.d, tmpfiles.d
        /etc/edged/edged.toml           a conffile

Runs on the distribution and the architecture that the package is for, as anybody: nothing here needs root.
"""

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from edged.installation import unitfiles

ROOT = Path(__file__).parents[1]
SCRIPTS = ("postinst", "prerm", "postrm")
HOME = "opt/edged"


class Failed(Exception):
    """A program that this needs failed; its own words are above."""


def run(*command: object, **environment: str) -> str:
    """What a program printed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise Failed(f"{words[0]} ended with {done.returncode}")
    return done.stdout


def environment(stage: Path, python: str, runtime: str) -> None:
    """The virtual environment, as it will lie on the box."""
    home = stage / HOME
    with tempfile.TemporaryDirectory() as built:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", built, ROOT)
        (wheel,) = Path(built).glob("edged-*.whl")
        run(python, "-m", "venv", "--without-pip", home)
        pip = (sys.executable, "-m", "pip", "--python", home / "bin" / "python")
        run(
            *pip,
            "install",
            "--quiet",
            "--no-compile",
            "--no-warn-script-location",
            f"{wheel}[{runtime},serial]",
        )
    for program in (home / "bin").iterdir():
        if not program.name.startswith("python"):
            program.unlink()
    program = home / "bin" / "edged"
    program.write_text(f"#!/{HOME}/bin/python\nimport sys\nfrom edged.cli import main\nsys.exit(main())\n")
    program.chmod(0o755)
    config = home / "pyvenv.cfg"
    kept = [line for line in config.read_text().splitlines() if not line.startswith("command")]
    config.write_text("\n".join(kept) + "\n")
    for told in home.glob("lib/python*/site-packages/*.dist-info/direct_url.json"):
        told.unlink()  # where the wheel lay on the machine that built this


def compile_sources(stage: Path, python: str) -> None:
    """Byte code beside every source: the service may not write it. By hash and unchecked: the same in every build."""
    script = (
        "import compileall, py_compile, sys; compileall.compile_dir(sys.argv[1], stripdir=sys.argv[2], prependdir='/',"
        " quiet=2, workers=0, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
    )
    run(python, "-c", script, stage / HOME / "lib", stage)


def service_files(stage: Path) -> None:
    """Units, user, folders, configuration, documents."""
    texts = {
        **{f"usr/lib/systemd/system/{name}": ROOT / "systemd" / name for name in unitfiles.UNITS},
        **{
            f"usr/lib/{kind}/edged.conf": ROOT / "systemd" / kind / "edged.conf"
            for kind in ("sysusers.d", "tmpfiles.d")
        },
        "usr/share/doc/edged/copyright": ROOT / "LICENSE",
        "usr/share/doc/edged/service.md": ROOT / "docs" / "service.md",
        "usr/share/doc/edged/configuration.md": ROOT / "docs" / "configuration.md",
    }
    for target, source in texts.items():
        write(stage / target, source.read_bytes())
    write(
        stage / "usr/share/doc/edged/changelog.gz",
        gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0),
    )
    sample = (ROOT / "configs" / "edged.toml").read_text(encoding="utf-8")
    write(stage / "etc/edged/edged.toml", unitfiles.commented(sample).encode(), 0o640)
    (stage / "usr/bin").mkdir()
    (stage / "usr/bin/edged").symlink_to(f"/{HOME}/bin/edged")


def control_files(stage: Path, architecture: str, python: str) -> str:
    """What dpkg reads. The version of the package."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    major, minor = run(python, "-c", "import sys; print(*sys.version_info[:2])").split()
    files = sorted(path for path in stage.rglob("*") if path.is_file() and not path.is_symlink())
    values = {
        "VERSION": version,
        "ARCHITECTURE": architecture,
        "PYTHON": f"{major}.{minor}",
        "NEXT_PYTHON": f"{major}.{int(minor) + 1}",
        "INSTALLED_KIB": str(sum(path.stat().st_size for path in files) // 1024),
    }
    text = (ROOT / "packaging" / "debian" / "control").read_text()
    control = stage / "DEBIAN"
    write(control / "control", re.sub(r"@(\w+)@", lambda match: values[match[1]], text).encode())
    write(control / "conffiles", b"/etc/edged/edged.toml\n")
    sums = "".join(
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(stage)}\n" for path in files
    )
    write(control / "md5sums", sums.encode())
    for name in SCRIPTS:
        write(control / name, (ROOT / "packaging" / "debian" / name).read_bytes(), 0o755)
    return version


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """A file of the package, whatever the umask is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def open_to_all(stage: Path) -> None:
    """Folders and files as a system has them, whatever the umask was."""
    for path in [stage, *stage.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3", help="the system's interpreter")
    parser.add_argument("--runtime", default="cpu", help="the extra with ONNX Runtime: openvino, cpu, cuda")
    parser.add_argument(
        "--compression", default="zstd", help="of dpkg-deb: zstd, xz (smaller, minutes), gzip, none"
    )
    parser.add_argument("--target", type=Path, default=ROOT / "dist", help="folder for the package")
    given = parser.parse_args()
    if not shutil.which("dpkg-deb"):
        parser.error("dpkg-deb is missing: a Debian package is built on Debian")
    architecture = run("dpkg", "--print-architecture").strip()
    given.target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder) / "edged"
        stage.mkdir()
        environment(stage, given.python, given.runtime)
        service_files(stage)
        compile_sources(stage, given.python)
        open_to_all(stage)
        version = control_files(stage, architecture, given.python)
        package = given.target / f"edged_{version}_{architecture}.deb"
        run("dpkg-deb", "--root-owner-group", f"-Z{given.compression}", "--build", stage, package)
    print(f"{package}: {package.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"deb: {error}")
