"""How a session is made on a provider, and what is worth trying where the user left it to edged. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a session is made.

    Attributes:
        provider: As a person writes it, with the device: ``openvino:CPU``.
        threads: Of one inference; 0 = as the provider likes, which is all cores.
        callers: Inferences at once; OpenVINO makes as many streams.
        precision: ``f32``, ``f16`` or ``bf16``, of OpenVINO's arithmetic.
        throughput: Whether OpenVINO is told that inferences a second count, not the wait for one.
        integers: Whether quantised layers may be computed in integers. Without, OpenVINO rounds as the model says and
            computes in ``precision``.
    """

    provider: str = "cpu"
    threads: int = 0
    callers: int = 1
    precision: str = "f32"
    throughput: bool = False
    integers: bool = True

    @property
    def name(self) -> str:
        """For a person: ``openvino:CPU f32, 1 thread``."""
        arithmetic = f" {self.precision}" if self.provider.startswith("openvino") else ""
        arithmetic += "" if self.integers else " without int8"
        threads = f", {self.threads} thread{'' if self.threads == 1 else 's'}" if self.threads else ""
        return f"{self.provider}{arithmetic}{threads}"

    @property
    def kind(self) -> tuple[str, str, bool]:
        """What decides whether it runs a model, and what it answers: not how many threads."""
        return self.provider, self.precision, self.integers


def rivals(
    providers: Sequence[str], how: Tuning, *, threads: Sequence[int], quantised: bool
) -> tuple[Tuning, ...]:
    """What is worth trying, in the order of preference where nothing else decides.

    Of one provider only the first kind that runs and agrees is of use; the others are there in case it does not.

    Args:
        providers: With devices; the CPU provider is put first.
        how: Callers, precision and throughput.
        threads: Counts to try, the first with every kind.
        quantised: Whether the model has quantised layers.
    """
    found = []
    for provider in sorted(providers, key=lambda name: name != "cpu"):
        kinds = _kinds(replace(how, provider=provider), quantised=quantised)
        counts = threads if provider.partition(":")[0] in {"cpu", "openvino"} else (0,)
        found += [replace(kind, threads=count) for count in counts for kind in kinds]
    return tuple(found)


def _kinds(how: Tuning, *, quantised: bool) -> list[Tuning]:
    if not how.provider.startswith("openvino"):
        return [replace(how, precision="f32")]
    precisions = dict.fromkeys((how.precision, "f32"))
    kinds = [replace(how, precision=precision) for precision in precisions]
    # OpenVINO 2026.1 answers wrongly in integers on processors without VNNI; so it is right, and still faster than the
    # CPU provider (docs/adr/0014).
    return [*kinds, replace(how, precision="f32", integers=False)] if quantised else kinds
