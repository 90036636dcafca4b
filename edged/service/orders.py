"""Commands that come over the broker: who is meant, what is wanted, and the answer."""

from collections.abc import Callable, Mapping
from typing import Any

from edged.lifecycle import ServedModel
from edged.mqtt.commands import Command

Answer = Callable[[Command, Mapping[str, Any]], None]

MODEL_VERBS = ("model/activate", "model/rollback", "model/list", "model/test")
VERBS = (*MODEL_VERBS, "ping")


class Orders:
    """Hands commands to what they concern. `take` is called from the link's thread and does not wait."""

    def __init__(self, models: Callable[[], Mapping[str, ServedModel]], answer: Answer) -> None:
        """Keep what is needed.

        Args:
            models: Those that are configured now.
            answer: Sends an answer; called from any thread.
        """
        self._models, self._answer = models, answer

    def take(self, command: Command) -> None:
        """Do what a command says; the answer follows when it is done."""
        if command.verb == "ping":
            self._answer(command, {"ok": True})
        elif command.verb in MODEL_VERBS:
            self._order_model(command)
        else:
            self._refuse(command, f"unknown command {command.verb!r}; known are {', '.join(VERBS)}")

    def _order_model(self, command: Command) -> None:
        models, name = self._models(), command.arguments.get("name")
        verb = command.verb.removeprefix("model/")
        version = command.arguments.get("version")
        if not isinstance(name, str) or name not in models:
            self._refuse(command, f'"name" is {name!r:.80}; configured are {", ".join(models) or "none"}')
        elif verb in {"activate", "test"} and not _is_number(version):
            self._refuse(command, f'"version" is {version!r:.80}; a whole number such as 3 is wanted')
        else:
            number = version if _is_number(version) else None
            models[name].command(verb, number, lambda answer: self._answer(command, answer))

    def _refuse(self, command: Command, error: str) -> None:
        self._answer(command, {"ok": False, "error": error})


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9
