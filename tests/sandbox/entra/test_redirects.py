import pytest

from graphrelay.sandbox.directory import CONTOSO, App
from graphrelay.sandbox.entra.redirects import landing, platform_of


def registered(*uris: str) -> App:
    return App(display_name="app", tenant_id=CONTOSO, public_redirect_uris=list(uris))


@pytest.mark.parametrize(
    ("uri", "redirect", "matches"),
    [
        ("http://localhost", "http://localhost", True),
        ("http://localhost", "http://localhost/", True),
        ("http://localhost", "http://localhost:8400", True),
        ("http://localhost", "http://localhost:8400/", True),
        ("http://localhost:1", "http://localhost:2", True),
        ("http://localhost", "http://localhost:8400/callback", False),
        ("http://localhost/callback", "http://localhost:8400/callback", True),
        ("http://localhost/callback", "http://localhost:8400/Callback", False),
        ("http://localhost", "https://localhost:8400", False),
        ("http://localhost", "http://127.0.0.1:8400", False),
        ("http://127.0.0.1", "http://127.0.0.1:8400", True),
        ("http://[::1]", "http://[::1]", False),
        ("http://localhost", "http://localhost.example.com", False),
        ("http://localhost", "http://localhost:port", False),
        ("http://localhost", "http://localhost/#fragment", False),
        ("https://app.example.com/back", "https://app.example.com/back", True),
        ("https://app.example.com/back", "https://app.example.com:444/back", False),
        ("https://app.example.com/back", "https://app.example.com/back/", False),
        ("https://app.example.com/back", "https://app.example.com/back?x=1", False),
    ],
)
def test_a_redirect_matches_what_is_registered(uri: str, redirect: str, matches: bool) -> None:
    assert (platform_of(registered(uri), redirect) == "public") is matches


@pytest.mark.parametrize(("redirect", "matches"), [("", True), ("/", False), (":8400/", False)])
def test_a_path_that_is_not_registered_may_matter(redirect: str, matches: bool) -> None:
    app = registered("http://localhost")
    assert (platform_of(app, f"http://localhost{redirect}", exact=True) == "public") is matches


def test_the_platform_is_where_it_is_registered() -> None:
    app = registered("http://localhost")
    app.web_redirect_uris.append("https://app.example.com/")
    assert platform_of(app, "https://app.example.com/") == "web"


def test_a_uri_without_a_path_gets_one() -> None:
    assert landing("http://localhost:8400") == "http://localhost:8400/"
    assert landing("http://localhost:8400/back") == "http://localhost:8400/back"
