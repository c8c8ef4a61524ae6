# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one Docker daemon and one Podman for all tests here, each with the image of the fixture server."""

import pytest

from engines import Docker, Podman, image_tar
from registry import Registry


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "rootfs.tar"
    image_tar(path)
    return path


def _engine(kind, rootfs):
    engine = kind()
    try:
        engine.load(rootfs)
        yield engine
    finally:
        engine.discard()


@pytest.fixture(scope="session")
def docker_daemon(rootfs):
    yield from _engine(Docker, rootfs)


@pytest.fixture(scope="session")
def podman_storage(rootfs):
    yield from _engine(Podman, rootfs)


@pytest.fixture
def docker(docker_daemon):
    """The daemon, running and without containers."""
    yield docker_daemon
    if docker_daemon.process.poll() is not None:
        docker_daemon.start()
    docker_daemon.remove_all()


@pytest.fixture
def podman(podman_storage):
    yield podman_storage
    podman_storage.remove_all()


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def registry(docker, tmp_path):
    """A registry that has the image of the fixture server."""
    serving = Registry(docker, tmp_path)
    yield serving
    serving.close()
