from edged.service.bucket import TokenBucket


def taken(bucket: TokenBucket, now_s: float, tries: int = 100) -> int:
    return sum(bucket.take(now_s) for _ in range(tries))


def test_so_many_may_happen_at_once_and_no_more() -> None:
    assert taken(TokenBucket(burst=50, per_s=20), 1000.0) == 50


def test_tokens_come_back_steadily_and_not_beyond_the_burst() -> None:
    bucket = TokenBucket(burst=50, per_s=20)
    taken(bucket, 0.0)
    assert taken(bucket, 0.01) == 0
    assert taken(bucket, 0.5) == 10
    assert taken(bucket, 1.5) == 20
    assert taken(bucket, 1000.0) == 50


def test_parts_of_a_token_add_up() -> None:
    bucket = TokenBucket(burst=1, per_s=20)
    assert bucket.take(0.0)
    assert sum(bucket.take(n / 100) for n in range(1, 101)) == 20


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(burst=5, per_s=20)
    taken(bucket, 100.0)
    assert taken(bucket, 0.0) == 0
    assert taken(bucket, 100.05) == 1
