"""Skips what this machine can't run, and says why."""

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root; 'sudo script/test' runs it")
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(skip)
