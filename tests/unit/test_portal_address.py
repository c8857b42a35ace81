"""At which host names there is what (security.md 6)."""

from __future__ import annotations

import pytest

from billing.errors import InvalidInput
from web.options import Options


def options(hotspot_url: str, public_url: str = "https://panel.isp.example") -> Options:
    return Options(
        public_url=public_url,
        bind_address="127.0.0.1",
        cookie_key="00",
        salt="00",
        second_factor_key="00",
        hotspot_url=hotspot_url,
    )


def test_a_host_name_of_its_own_is_trusted_beside_the_panel_s() -> None:
    found = options("https://wifi.isp.example/")
    found.check()
    assert found.host_names == ["panel.isp.example", "wifi.isp.example"]
    options("").check()
    assert options("").hotspot_host == ""
    options("http://localhost", public_url="").check()


@pytest.mark.parametrize(
    ("hotspot_url", "public_url"),
    [
        ("wifi.isp.example", "https://panel.isp.example"),
        ("http://wifi.isp.example", "https://panel.isp.example"),
        ("https://wifi.isp.example", ""),
        ("https://panel.isp.example", "https://panel.isp.example"),
    ],
)
def test_what_is_no_address_of_the_portal(hotspot_url: str, public_url: str) -> None:
    with pytest.raises(InvalidInput):
        options(hotspot_url, public_url).check()
