import threading

from edged.service.serial import SerialExecutor, Task


def test_tasks_run_in_their_order_in_one_thread() -> None:
    executor, seen, done = SerialExecutor("one", limit=10), [], threading.Event()
    for number in range(5):
        assert executor.submit(
            Task(lambda n=number: seen.append((n, threading.current_thread().name)), done.set)
        )
    executor.submit(Task(done.set, done.clear))
    executor.start()
    assert done.wait(5)
    assert seen == [(number, "one") for number in range(5)]
    executor.close()
    assert executor.join(5)


def test_one_that_was_never_started_ends_at_once_and_cancels_what_waits() -> None:
    executor, cancelled = SerialExecutor("one", limit=2), []
    tasks = [Task(lambda: None, lambda n=number: cancelled.append(n)) for number in range(3)]
    assert [executor.submit(task) for task in tasks] == [True, True, False]
    executor.close()
    assert cancelled == [0, 1]
    assert not executor.submit(tasks[2])
    assert executor.join(0)
