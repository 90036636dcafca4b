"""Has the first model load while the rest of the daemon is still being loaded itself.

A guess, by the rules of `edged.lifecycle`: the version is whole and its digest known before a process is asked to load
it. Where the daemon then wants something else, another process loads that (`edged.worker.starting`).
"""

import time

from edged.lifecycle.asking import first_request
from edged.service.demands import uses
from edged.settings import Settings
from edged.worker.starting import ask_ahead


def load_ahead(settings: Settings, *, once: bool) -> None:
    """Ask the process that was started ahead, if there is one, for the first model that is used.

    What is wrong is for the daemon to find and to say.
    """
    try:
        used = uses(settings)
        for name in [name for name in settings.models if name in used][:1]:
            request = first_request(
                name,
                settings.models[name],
                used[name],
                store=settings.store.path,
                once=once,
                now_s=time.monotonic(),
            )
            if request:
                ask_ahead(request.to_json())
    except Exception:  # noqa: BLE001  # a wrong guess must not keep a daemon from starting
        return
