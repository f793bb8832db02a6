"""The cloud before and while it is served."""

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.cloud import APP_SERVICE_PATH, Cloud
from graphrelay.sandbox.directory import Directory
from tests.clock import FakeClock


def test_time_and_directory_are_those_that_it_is_given() -> None:
    directory, clock = Directory(), FakeClock()
    cloud = Cloud(directory, now=clock.now)
    assert cloud.directory is directory
    assert cloud.now() == clock.now()


def test_without_a_directory_it_holds_contoso() -> None:
    assert Cloud().directory.user("wp@contoso.com") is not None


async def test_each_address_is_known_once_it_is_served() -> None:
    async with Sandbox(page_port=0) as cloud:
        assert cloud.login_url == cloud.graph_url
        assert cloud.identity_endpoint == cloud.imds_url + APP_SERVICE_PATH
        ports = {
            url.rpartition(":")[2] for url in (cloud.login_url, cloud.imds_url, cloud.page_url)
        }
        assert len(ports) == 3
        assert "0" not in ports
