"""Signing in with Microsoft in a real Chromium, with its rules about cookies of other sites."""

from pathlib import Path

import pytest
import trustme

from graphrelay.sandbox.directory import PUBLIC_CLIENT, contoso
from tests.console.browsing import Seen
from tests.sandbox.entra.test_pages import appears, click, typed
from tests.sandbox.page.browser import browser
from tests.tools import needs
from tests.world import world

USERS = """
[[console.microsoft_users]]
username = "alice@contoso.com"
object_id = "{oid}"
role = "operator"
"""


@pytest.mark.parametrize("tls", ["off", "implicit"])
async def test_a_user_signs_in_and_works_and_another_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    needs("chromium")
    alice = contoso().user("alice@contoso.com")
    assert alice
    monkeypatch.setenv("GRAPHRELAY_CONSOLE__MICROSOFT_ACCOUNT", "website")
    if tls == "implicit":
        file = tmp_path / "console.pem"
        certificate = trustme.CA().issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(file))
        monkeypatch.setenv("GRAPHRELAY_CONSOLE__TLS", tls)
        monkeypatch.setenv("GRAPHRELAY_CONSOLE__CERTIFICATE_FILE", str(file))
    async with (
        world(
            tmp_path, scenario="user", console="127.0.0.1:0", extra=USERS.format(oid=alice.oid)
        ) as here,
        browser(tmp_path / "profile") as tab,
    ):
        await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        seen = Seen(here, tab)
        app = here.cloud.directory.app(PUBLIC_CLIENT)
        assert app
        by_name = seen.url.replace("127.0.0.1", "localhost")
        if tls == "implicit":
            app.public_redirect_uris.append(f"{by_name}/sign-in/microsoft")
        # At first by the number: http:// goes on by the name, which Entra knows.
        start = seen.url if tls == "off" else by_name
        for who, let_in in (("bob@contoso.com", False), ("alice@contoso.com", True)):
            await tab.open(f"{start}/sign-in?next=/queue")
            await appears(tab, "a.button")
            assert await seen.violations() == []
            await click(tab, "a.button")
            await appears(tab, "#email")
            await typed(tab, "#email", who)
            await typed(tab, "#password", "pass")
            await click(tab, "#sign-in")
            await appears(tab, "#accept")
            await click(tab, "#accept")
            if let_in:
                await seen.heading("Queue")
            else:
                await seen.shows("[role=alert]", "is not in [[console.microsoft_users]]")
        assert await tab.evaluate("location.href") == f"{by_name}/queue"
        await seen.shows("form.out", "alice@contoso.com, operator")
        await tab.navigate(f"{by_name}/accounts")
        await seen.heading("Accounts")
        await seen.press("form[action='/sign-out'] button")
        await seen.heading("Sign in")
        assert [one.fields["how"] for one in here.events("signed-in")] == ["microsoft"]
