"""A sample of the random sessions; ``machines/sessions.py`` has a command for the full number."""

from contract_tests.machines import sessions


def test_the_same_requests_have_the_same_answers_after_restore_fork_import_and_rewind() -> None:
    assert sessions.run(range(3), steps=100) == 3
