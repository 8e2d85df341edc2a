"""What all Python clients are tested against, from the environment that the runner sets."""

import dataclasses
import os

import pytest


@dataclasses.dataclass(frozen=True)
class Target:
    base_url: str  # with /v1
    key: str
    file_key: str
    limited_key: str
    direct: bool  # the mock provider itself, without a gateway


@pytest.fixture(scope="session")
def target():
    def value(name):
        return os.environ[f"TOLLGATE_SDK_{name}"]

    return Target(value("BASE_URL"), value("KEY"), value("FILE_KEY"), value("LIMITED_KEY"), value("DIRECT") == "1")


def pytest_collection_modifyitems(items):
    if os.environ.get("TOLLGATE_SDK_DIRECT") != "1":
        return
    for item in items:
        if item.get_closest_marker("gateway"):
            item.add_marker(pytest.mark.skip(reason="only a gateway does this"))


def pytest_configure(config):
    config.addinivalue_line("markers", "gateway: needs the gateway, not the mock provider alone")
