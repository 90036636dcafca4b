"""A model's process takes more memory than the unit has: the kernel ends that one, and the daemon goes on."""

import time

import toy_models

from vm.box import Box
from vm.machine import BOOT_S, Virtual, stopwatch

SPARE_MIB = 100
"""What the unit may take beyond what it has: enough for the process of a second model."""
HUNGRY_MIB = 100
"""Of the hungry model's first picture; it takes twice as much, and little time on an emulator."""
CONFIGURATION = """
[models.hungry]
path = "/srv/hungry.onnx"
providers = ["cpu"]
max_memory = "8GiB"
[cameras.other]
url = "/srv/clip.mkv"
models = ["hungry"]
fps = 1
"""


def test_a_worker_that_takes_all_memory_of_the_unit_does_not_end_the_daemon(box: Box) -> None:
    broker = box.broker
    results = len(broker.results())
    broker.start()
    with box.boot("memory") as machine:
        assert broker.wait_for(lambda: len(broker.results()) > results + 3, BOOT_S), machine.journal()
        before, group = machine.of("MainPID"), machine.of("ControlGroup")
        limit = counted(machine, group, "memory.stat")["anon"] + SPARE_MIB * 2**20
        machine.done(
            "systemctl", "set-property", "--runtime", "edged", f"MemoryMax={limit}", "MemorySwapMax=0"
        )
        kills = counted(machine, group, "memory.events")["oom_kill"]
        model = toy_models.hungry_detector(box.folder / "hungry.onnx", mebibytes=HUNGRY_MIB)
        put(machine, "/srv/hungry.onnx", model.read_bytes())
        text = machine.done("cat", "/etc/edged/edged.toml")
        put(machine, "/etc/edged/edged.toml", (text + CONFIGURATION).encode())
        machine.done("systemctl", "reload", "edged", timeout=BOOT_S)
        took = stopwatch()
        while (now := counted(machine, group, "memory.events")["oom_kill"]) == kills:
            assert took() < BOOT_S, machine.journal()
            time.sleep(0.5)
        count = len(broker.results())
        assert broker.wait_for(lambda: len(broker.results()) > count + 20, BOOT_S), machine.journal()
        assert machine.of("MainPID") == before
        assert (machine.of("NRestarts"), machine.of("ActiveState")) == ("0", "active")
        state = broker.messages("edged/box/model/hungry/state")
        print(f"{now - kills} killed beyond {limit / 2**20:.0f} MiB, daemon {before} goes on: {state}")
        assert any("SIGKILL" in told for told in state), machine.journal()


def counted(machine: Virtual, group: str, file: str) -> dict[str, int]:
    """Figures of a control group."""
    lines = machine.done("cat", f"/sys/fs/cgroup{group}/{file}").splitlines()
    return {name: int(count) for name, count in (line.split() for line in lines)}


def put(machine: Virtual, path: str, content: bytes) -> None:
    """Write a file in the machine; its owner and mode stay."""
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(bytes.fromhex(sys.argv[2]))"
    machine.done("python3", "-c", script, path, content.hex())
