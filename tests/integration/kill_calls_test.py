"""A deploy killed at its system calls that change something, under steady load: before, after, or half way
through the N-th one. Every one of them with BLUEGREEN_FULL, else a spread."""

from kill_stage import a_stage, spread


def test_deploy_killed_round_any_system_call_is_settled_and_fails_no_request(figures) -> None:
    with a_stage() as stage:
        calls = stage.rehearse("calls")
        assert len(calls) > 100 and {"write", "fdatasync", "fsync", "rename", "msync", "kill", "fork"} <= set(calls)
        for turn, number in enumerate(spread(list(range(1, len(calls) + 1)), 8)):
            stage.kill("calls", number, ("before", "after", "half")[turn % 3])
    figures(calls=len(calls), killed=len(stage.killed), requests=stage.requests, failed=stage.failed)
    assert stage.requests > 500 and stage.failed == 0
