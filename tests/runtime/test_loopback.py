"""Names of this machine itself: the sandbox, a captioning server, image files beside it."""

import pytest

from mmrl.runtime.loopback import is_loopback


@pytest.mark.parametrize(
    "host", ["localhost", "sandbox.localhost", "127.0.0.1", "127.8.0.2", "::1"]
)
def test_this_machine_is_known_by_name_and_by_number(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "reddit.com", "localhost.com", "notlocalhost", "10.0.0.1", "0.0.0.0", "127.1.com"]
)
def test_other_hosts_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
