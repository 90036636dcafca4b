"""A repository, a web server that can do harm, and a box that looks at them."""

import pytest
from repository_server import RepositoryServer
from signed_repository import MEMBERS, Repository
from update_box import Box


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def repository() -> Repository:
    repository = Repository()
    repository.add("parcels", 2, MEMBERS)
    repository.release(days=0)
    return repository


@pytest.fixture
def server(repository):
    with RepositoryServer(repository.files) as server:
        yield server


@pytest.fixture
def box(tmp_path, server, repository) -> Box:
    return Box(tmp_path / "box", server.url, repository.first_root)
