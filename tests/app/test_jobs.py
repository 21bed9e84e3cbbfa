"""What a job says of itself while it works."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cyclevos.app.work import jobs
from cyclevos.app.work.jobs import Job


@pytest.fixture
def job(monkeypatch) -> Job:
    """A job whose clock goes on by half a second whenever it is read."""
    seconds = iter(range(100))
    monkeypatch.setattr(jobs.time, "monotonic", lambda: float(next(seconds)) / 2)
    project = SimpleNamespace(id="clip", hub=SimpleNamespace(publish=lambda *_: None), next_order=lambda: 1)
    return Job("1", "edit", project, lambda _: {})


def test_the_speed_is_that_of_the_stage_and_begins_anew_with_the_next(job):
    told = [(0, "following the pieces"), (20, "following the pieces"), (30, "following the pieces"), (1, "computing")]
    speeds = []
    for done, note in told:
        job.progress(done, 30, note)
        speeds.append(job.speed)
    assert speeds[0] is None
    assert speeds[2] is not None
    assert speeds[2] > 10
    assert speeds[3] is None
    job.progress(3, 30, "computing")
    assert job.speed is not None
    assert 0 < job.speed < 10
