"""The stage that each test starts its processes on; what they said is shown when the test fails."""

import pytest

from harness import Stage


@pytest.fixture
def stage(tmp_path, request):
    made = Stage(tmp_path)
    yield made
    failed = getattr(request.node, "failed", False)
    outputs = made.outputs() if failed else ""
    made.close()
    if failed:
        print(outputs)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed
