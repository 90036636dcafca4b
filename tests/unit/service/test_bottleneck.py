"""Which word is said of which figures."""

import pytest

from edged.service.bottleneck import Load, ModelLoad, bottleneck

BUSY = ModelLoad(utilisation=0.97, cores=1.7, late_per_s=20.0)
IDLE = ModelLoad(utilisation=0.2, cores=0.3, late_per_s=0.0)


def load(**changes) -> Load:
    return Load(**({"cores": 2, "busy_cores": 1.0} | changes))


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        (load(), "none"),
        (load(busy_cores=2.0, models={"cars": IDLE}), "none"),
        (load(busy_cores=1.95, models={"cars": BUSY, "faces": IDLE}), "inference:cars"),
        (load(cores=8, busy_cores=2.0, models={"cars": BUSY}), "inference:cars"),
        (load(cores=8, models={"cars": ModelLoad(0.5, 0.5, 3.0)}), "none"),
        (
            load(
                busy_cores=1.9, decode_cores={"a": 0.6, "b": 0.7}, models={"cars": ModelLoad(0.9, 0.5, 9.0)}
            ),
            "decode",
        ),
        (load(busy_cores=1.9, decode_cores={"a": 0.2}, models={"cars": ModelLoad(0.9, 0.5, 9.0)}), "cpu"),
        (load(decode_cores={"a": 0.1, "b": 0.95}), "decode:b"),
        (load(spooled=500, spooled_before=100, models={"cars": BUSY}), "broker"),
        (load(spooled=500, spooled_before=500, models={"cars": BUSY}, busy_cores=1.9), "inference:cars"),
        (load(spooled=99, spooled_before=0), "none"),
        (
            load(cores=8, models={"cars": ModelLoad(0.85, 0.5, 1.0), "faces": ModelLoad(0.99, 0.9, 0.0)}),
            "inference:cars",
        ),
    ],
    ids=[
        "nothing to do",
        "busy with something else, and nothing is dropped",
        "the model that takes the cores",
        "cores are free, but all its callers are in the runtime",
        "frames come in bursts",
        "decoding takes most of the cores",
        "many things, or other programs",
        "one camera fills a core",
        "messages pile up",
        "messages wait, but no more than before",
        "a few messages wait",
        "a busy model that drops nothing is not it",
    ],
)
def test_the_word(figures, word):
    assert bottleneck(figures) == word
