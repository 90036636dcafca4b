"""How often something may happen: a token bucket. Pure: times are passed in."""


class TokenBucket:
    """Holds tokens that come back steadily; each thing that happens takes one. Not synchronised."""

    def __init__(self, *, burst: int, per_s: float) -> None:
        """Full at first.

        Args:
            burst: Tokens it holds at most: so many things may happen at once.
            per_s: Tokens that come back in a second.
        """
        self._burst, self._per_s = float(burst), per_s
        self._tokens, self._seen_s = float(burst), float("-inf")

    def take(self, now_s: float) -> bool:
        """Take a token; False if there is none.

        Args:
            now_s: On a clock that does not go back.
        """
        passed_s = max(0.0, now_s - self._seen_s)
        self._seen_s = max(self._seen_s, now_s)
        self._tokens = min(self._burst, self._tokens + passed_s * self._per_s)
        if self._tokens < 1.0 - 1e-9:  # parts of a token do not add up to a whole one exactly
            return False
        self._tokens -= 1.0
        return True
