"""The attacks: each is tried, and must fail."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.console.guard import HEADERS, POLICY
from graphrelay.console.live import MOST_EACH
from graphrelay.console.turns import MOST_WAITING
from graphrelay.control.verb import Asker, Output
from tests.clock import settle
from tests.console.conftest import PASSWORD, STATUS, Browser, Opened, Opening, options

FORM = "application/x-www-form-urlencoded"
PAGES = ("/", "/accounts", "/queue", "/log", "/log/refused", "/log/transcript", "/settings")
ACTS = (
    "/accounts/website/check",
    "/accounts/website/authorize",
    "/accounts/website/revoke",
    "/accounts/website/test",
    "/queue/delete",
    "/message/X/resend",
    "/settings/reload",
    "/setup",
    "/dialogs/x/answer",
    "/dialogs/x/end",
)


@pytest.mark.parametrize(
    "path", [*PAGES, "/setup", "/log.csv", "/message/X/content", "/dialogs/x", "/nowhere"]
)
async def test_who_is_not_signed_in_sees_the_page_for_that_and_nothing_else(
    opened: Opened, path: str
) -> None:
    stranger = await opened.browser()
    answer = await stranger.get(path)
    assert (answer.status, answer.text) == (303, "")
    assert answer.headers["Location"].startswith("/sign-in")
    assert opened.verbs.asked == []


async def test_the_stream_of_events_is_for_who_is_signed_in(opened: Opened) -> None:
    answer = await (await opened.browser()).get("/events", Sec_Fetch_Mode="cors")
    assert answer.status == 401


@pytest.mark.parametrize("path", ACTS)
async def test_nobody_acts_without_a_session(opened: Opened, path: str) -> None:
    stranger = await opened.browser()
    await stranger.get("/sign-in")
    answer = await stranger.post(path, {"method": "device", "sure": "yes"})
    assert answer.status == 401
    assert opened.verbs.asked == []


# --- Forms from elsewhere ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*ACTS, "/sign-out"])
async def test_a_form_without_its_token_does_nothing(opened: Opened, path: str) -> None:
    otto = await opened.operator()
    opened.verbs.asked.clear()
    for token in ("", "0" * 64, "ä"):
        answer = await otto.post(path, {"token": token, "sure": "yes"})
        assert answer.status == 403, token
    assert opened.verbs.asked == []
    assert (await otto.get("/")).status == 200, "and nobody was signed out"


async def test_a_token_of_another_session_is_none(opened: Opened) -> None:
    otto, other = await opened.operator(), await opened.operator()
    answer = await otto.post("/accounts/website/revoke", {"token": other.token, "sure": "yes"})
    assert answer.status == 403
    assert opened.verbs.calls("revoke") == []


async def test_a_form_of_another_site_does_nothing_even_with_the_token(opened: Opened) -> None:
    otto = await opened.operator()
    answer = await otto.post(
        "/accounts/website/revoke", {"sure": "yes"}, Origin="https://evil.example"
    )
    assert answer.status == 403
    answer = await otto.post(
        "/accounts/website/revoke", {"sure": "yes"}, Sec_Fetch_Site="same-site"
    )
    assert answer.status == 403
    assert opened.verbs.calls("revoke") == []
    assert len(opened.events("request-refused")) == 2


async def test_what_is_no_form_of_a_page_is_refused(opened: Opened) -> None:
    otto = await opened.operator()
    for content_type in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        answer = await otto.send(
            "POST",
            "/accounts/website/revoke",
            data=f"token={otto.token}&sure=yes".encode(),
            headers={"Content-Type": content_type},
        )
        assert answer.status == 415
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await otto.send(method, "/queue/delete")).status == 405
    assert opened.verbs.calls("revoke") == []


@pytest.mark.parametrize(
    ("headers", "octets"),
    [
        ({"Content-Type": f"{FORM}; charset=nonsense"}, b"name=a"),
        ({"Content-Type": f"{FORM}; charset=utf-7"}, b"name=+AAA-"),
        ({"Content-Type": FORM, "Content-Encoding": "gzip"}, b"name=a"),
        ({"Content-Type": FORM, "Content-Encoding": "deflate"}, zlib.compress(b"a" * 100_000_000)),
        ({"Content-Type": FORM}, b"name=\xff&token=%FF%00"),
        ({"Content-Type": FORM}, b"&" * 60_000),
    ],
    ids=["no charset", "utf-7", "no gzip", "zip bomb", "no UTF-8", "60,000 fields"],
)
async def test_no_form_of_a_stranger_is_a_mistake_of_ours(
    opened: Opened, headers: dict[str, str], octets: bytes
) -> None:
    """It would be a line in the journal at each try, and a reason to look for a bug."""
    stranger = await opened.browser()
    await stranger.get("/sign-in")
    answer = await stranger.send("POST", "/sign-in", data=octets, headers=headers)
    assert answer.status in (400, 403, 413, 415)
    assert opened.events("console-broke") == []


async def test_a_page_asks_for_nothing_to_be_done_by_a_link(opened: Opened) -> None:
    otto = await opened.operator()
    for path in set(ACTS) - {"/setup"}:
        answer = await otto.get(f"{path}?sure=yes&queue_id=X&token={otto.token}")
        assert answer.status == 405
    assert opened.verbs.calls("revoke") == []
    assert opened.verbs.calls("queue-delete") == []
    assert opened.events("acted") == []


async def test_a_form_of_a_megabyte_is_not_read(opened: Opened) -> None:
    otto = await opened.operator()
    answer = await otto.post("/queue/delete", {"reason": "x" * 1_000_000})
    assert answer.status == 413


# --- Names and frames ----------------------------------------------------------------------------


async def test_a_name_that_was_made_to_lead_here_is_refused(opened: Opened) -> None:
    """DNS rebinding."""
    otto = await opened.operator()
    answer = await otto.get("/", Host="evil.example")
    assert answer.status == 421
    assert "website" not in answer.text
    answer = await otto.post(
        "/accounts/website/revoke",
        {"sure": "yes"},
        Host="evil.example",
        Origin="http://evil.example",
    )
    assert answer.status == 421
    assert opened.verbs.calls("revoke") == []


async def test_no_page_can_be_put_in_a_frame_stored_or_given_another_script(
    opened: Opened,
) -> None:
    otto = await opened.operator()
    for path in (*PAGES, "/sign-in", "/static/console.js", "/nowhere", "/message/X"):
        answer = await otto.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
        assert not re.search(r"<script(?! src=\"/static/console.js\" defer></script>)", answer.text)
        assert not re.search(r"\son\w+=|javascript:|\sstyle=", answer.text)
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert rule in POLICY
    assert "unsafe" not in POLICY


# --- Sessions ------------------------------------------------------------------------------------


async def test_a_session_cannot_be_fixed_before_somebody_signs_in(opened: Opened) -> None:
    victim = await opened.browser()
    await victim.get("/sign-in")
    (planted,) = victim.cookies().values()
    await victim.sign_in("otto")
    (real,) = victim.cookies().values()
    assert real != planted
    attacker = await opened.browser()
    answer = await attacker.get("/", Cookie=f"{next(iter(victim.cookies()))}={planted}")
    assert answer.status == 303


async def test_a_cookie_that_nobody_gave_out_is_no_session(opened: Opened) -> None:
    stranger = await opened.browser()
    await stranger.get("/sign-in")
    name = next(iter(stranger.cookies()))
    for value in ("x", "", "a" * 43):
        assert (await stranger.get("/", Cookie=f"{name}={value}")).status == 303


async def test_the_cookie_is_hidden_from_scripts_and_sent_to_no_other_site(
    opened: Opened,
) -> None:
    otto = await opened.browser()
    answer = await otto.sign_in("otto")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_behind_a_proxy_with_tls_the_cookie_never_goes_in_the_clear(
    opening: Opening,
) -> None:
    from ipaddress import ip_network

    here = ip_network("127.0.0.1/32")
    opened = await opening(options(proxy_from=(here,)))
    browser = await opened.browser()
    answer = await browser.get("/sign-in", X_Forwarded_For="127.0.0.1", X_Forwarded_Proto="https")
    assert answer.headers["Set-Cookie"].startswith("__Host-graphrelay=")
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]


async def test_signing_out_ends_the_session_everywhere(opened: Opened) -> None:
    otto = await opened.operator()
    cookie = "; ".join(f"{name}={value}" for name, value in otto.cookies().items())
    assert (await otto.post("/sign-out")).status == 303
    thief = await opened.browser()
    assert (await thief.get("/", Cookie=cookie)).status == 303
    assert opened.events("signed-out") == [{"who": "otto", "reason": "signed out"}]


async def test_a_session_that_nobody_uses_ends(opened: Opened) -> None:
    otto = await opened.operator()
    await opened.clock.advance(timedelta(minutes=29))
    assert (await otto.get("/")).status == 200
    await opened.clock.advance(timedelta(minutes=30))
    assert (await otto.get("/")).status == 303


async def test_removing_a_user_ends_that_users_sessions_at_the_reload(opened: Opened) -> None:
    otto, vera = await opened.operator(), await opened.viewer()
    changed = options()
    opened.console.reload(replace(changed, users=(changed.users[0],)))
    assert (await otto.get("/")).status == 303
    assert (await vera.get("/")).status == 200
    assert (await otto.sign_in("otto")).status == 403


# --- Roles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ACTS)
async def test_a_viewer_acts_by_no_form(opened: Opened, path: str) -> None:
    vera = await opened.viewer()
    opened.verbs.asked.clear()
    answer = await vera.post(
        path, {"method": "device", "sure": "yes", "queue_id": "X", "to": "a@b.c"}
    )
    assert answer.status == 403
    assert "may look at everything" in answer.text
    assert opened.verbs.asked == []
    assert opened.events("acted") == []


async def test_a_viewer_is_offered_no_act(opened: Opened) -> None:
    vera = await opened.viewer()
    for path in PAGES:
        answer = await vera.get(path)
        assert answer.status == 200
        forms = re.findall(r'<form method="post" ([^>]*)>', answer.text)
        assert forms == ['action="/sign-out" class="out"'], path
        assert "formaction" not in answer.text, path


async def test_who_acts_is_in_the_journal(opened: Opened) -> None:
    otto = await opened.operator()
    await otto.post("/accounts/website/revoke", {"sure": "yes"})
    assert opened.events("acted") == [
        {"who": "otto", "client": "127.0.0.1", "what": "delete authorization", "on": "website"}
    ]


# --- Guessing ------------------------------------------------------------------------------------


async def guess(opened: Opened, browser: Browser, name: str, password: str) -> int:
    """One password; the time that the guard takes for it passes at once."""
    await browser.get("/sign-in")
    trying = asyncio.create_task(browser.post("/sign-in", {"name": name, "password": password}))
    while not trying.done():
        await settle()
        if opened.clock.sleepers > 1:  # one checks the deadlines of connections
            await opened.clock.advance(timedelta(seconds=16))
        await asyncio.wait({trying}, timeout=0.01)
    return trying.result().status


async def test_who_guesses_is_locked_out_and_says_so_in_the_journal(opened: Opened) -> None:
    browser = await opened.browser()
    for number in range(10):
        assert await guess(opened, browser, "otto", f"guess {number}") == 403
    answer = await browser.sign_in("otto", "guess 10")
    assert "Too many wrong passwords" in answer.text
    answer = await browser.sign_in("otto")
    assert answer.status == 403, "not even the right one, from this address"
    refused = opened.events("sign-in-refused")
    assert len(refused) == 12
    assert {one["client"] for one in refused} == {"127.0.0.1"}


async def test_a_password_that_was_typed_as_the_name_is_not_in_the_journal(
    opened: Opened,
) -> None:
    browser = await opened.browser()
    assert (await browser.sign_in(PASSWORD, "otto")).status == 403
    assert opened.events("sign-in-refused")[0]["who"] == ""
    assert PASSWORD not in str(opened.entries)


async def test_no_name_of_a_user_can_be_found_out(opened: Opened) -> None:
    first, second = await opened.browser(), await opened.browser()
    known = await first.sign_in("otto", "wrong")
    await opened.clock.advance(timedelta(hours=1))
    unknown = await second.sign_in("nobody", "wrong")
    varies = r"\w{64}|<time.*</time>"
    assert re.sub(varies, "", known.text) == re.sub(varies, "", unknown.text)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
        "/\r\nSet-Cookie: a=b",
    ],
)
async def test_signing_in_leads_to_no_other_site(opened: Opened, target: str) -> None:
    browser = await opened.browser()
    await browser.get("/sign-in")
    form = {"name": "otto", "password": PASSWORD, "next": target}
    answer = await browser.post("/sign-in", form)
    assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_signing_in_leads_back_to_where_one_was(opened: Opened) -> None:
    browser = await opened.browser()
    answer = await browser.get("/log?outcome=failed&sender=%40contoso.com")
    page = await browser.get(answer.headers["Location"])
    [target] = re.findall(r'name="next" value="([^"]*)"', page.text)
    target = target.replace("&amp;", "&")
    form = {"name": "otto", "password": PASSWORD, "next": target}
    answer = await browser.post("/sign-in", form)
    assert answer.headers["Location"] == "/log?outcome=failed&sender=@contoso.com"


# --- Links ---------------------------------------------------------------------------------------


async def test_a_link_signs_in_as_operator_once(opened: Opened) -> None:
    path = await opened.link()
    first, second = await opened.browser(), await opened.browser()
    for browser in (first, second):
        assert "signs in <bdi>root</bdi> as operator" in (await browser.get(path)).text
    assert (await first.post(path)).status == 303
    assert "root" in (await first.get("/")).text
    answer = await second.post(path)
    assert answer.status == 403
    assert "has been used" in answer.text
    assert (await second.get("/")).status == 303
    assert (await second.get(path)).status == 403


async def test_a_link_that_is_only_looked_at_stays_good(opened: Opened) -> None:
    """Previews and prefetching browsers fetch addresses."""
    path = await opened.link()
    for _ in range(3):
        await (await opened.browser()).get(path)
    browser = await opened.browser()
    await browser.get(path)
    assert (await browser.post(path)).status == 303


async def test_a_link_is_void_after_five_minutes(opened: Opened) -> None:
    path, browser = await opened.link(), await opened.browser()
    await browser.get(path)
    await opened.clock.advance(timedelta(minutes=5))
    assert (await browser.post(path)).status == 403


async def test_a_link_is_in_no_line_of_the_journal(opened: Opened) -> None:
    path, browser = await opened.link(), await opened.browser()
    await browser.get(path)
    await browser.post(path)
    await browser.post(path)
    assert path.removeprefix("/enter/") not in str(opened.entries)


# --- Paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fserver.py",
        "/static/console.css/../../../config.toml",
        "/static//etc/passwd",
        "/static/%00",
        "/message/..%2f..%2fetc%2fpasswd",
        "/log/../../etc/passwd",
    ],
)
async def test_no_path_leads_to_another_file(opened: Opened, path: str) -> None:
    from yarl import URL

    otto = await opened.operator()
    url = URL(opened.console.url + path, encoded=True)
    async with otto.session.get(url, allow_redirects=False) as answer:
        text = await answer.text()
    assert answer.status == 404
    assert "import " not in text
    assert "root:" not in text


# --- What strangers wrote ------------------------------------------------------------------------

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>{{ 7*7 }}{% raw %}"


def evil(value: Any) -> Any:
    """With every text replaced that a stranger could have written."""
    match value:
        case str():
            return EVIL
        case list():
            return [evil(one) for one in value]
        case dict():
            kept = ("kind", "at", "not_before", "until", "start", "oldest", "state")
            return {
                key: one if key in kept or key.endswith("_at") else evil(one)
                for key, one in value.items()
            }
    return value


ROW: Output = {
    "id": 1,
    "queue_id": "X",
    "received_at": "2026-11-23T12:00:00+00:00",
    "at": "2026-11-23T12:00:00+00:00",
    "sender": "a",
    "recipients": ["b"],
    "size": 1,
    "subject": "s",
    "account": "a",
    "mailbox": "m",
    "route": "r",
    "attempts": 1,
    "attempt": 1,
    "last": "l",
    "state": "queued",
    "not_before": "2026-11-23T12:00:00+00:00",
    "due": True,
    "waits": {"state": "paused", "reason": "r", "remedy": "x", "until": None},
    "outcome": "o",
    "reason": "r",
    "client": "c",
    "code": "c",
    "octets_kept": True,
    "lost": ["l"],
}
MESSAGE: Output = {
    **ROW,
    "listener": "l",
    "helo": "h",
    "login": "l",
    "tls": "t",
    "message_id": "m",
    "octets_kept": True,
    "parts": [
        {
            **ROW,
            "from_address": "f",
            "content": "mime",
            "done_at": None,
            "draft": None,
            "history": [{**ROW, "http": 400, "message": "m", "request_id": "r",
                         "client_request_id": "c"}],
        }
    ],
}  # fmt: skip
CONTENT: Output = {
    "fields": [["n", "v"]],
    "text": "t",
    "is_html": False,
    "cut": False,
    "files": [
        {"number": 1, "name": "n", "type": "t", "size": 1, "content_id": "i", "inline": False}
    ],
    "sealed": "s",
}
REFUSAL: Output = dict.fromkeys(
    ("client", "listener", "stage", "reply", "reason", "login", "sender", "recipient"), "x"
) | {"at": ROW["at"], "since": ROW["at"]}
LANE: Output = {
    "account": "a",
    "mailbox": "m",
    "state": "paused",
    "reason": "r",
    "remedy": "r",
    "until": None,
    "waiting": 1,
    "in_flight": 0,
    "allowed": 4,
    "oldest": None,
    "budgets": [],
}


async def test_nothing_that_a_stranger_wrote_is_markup_on_any_page(opening: Opening) -> None:
    opened = await opening(
        status=[evil({**STATUS, "well": False})],
        lanes=[evil(LANE)],
        queue_list=[evil(ROW)],
        queue_show=[evil(MESSAGE)],
        queue_content=[evil(CONTENT)],
        log=[evil(ROW)],
        log_refused=[{**evil(REFUSAL), "times": 1}],
        transcript=[evil({"at": ROW["at"], "client": "c", "listener": "l", "lines": ["x"]})],
    )
    opened.alert = EVIL
    otto = await opened.operator()
    query = "sender=%3Cscript%3Ealert(1)%3C/script%3E&client=%22%3E%3Cscript%3E"
    for path in (
        "/",
        "/accounts",
        "/queue",
        "/message/X",
        "/message/X/content",
        "/log",
        "/log/refused",
        "/log/transcript",
    ):
        answer = await otto.get(f"{path}?{query}")
        assert answer.status == 200, path
        assert "<script>" not in answer.text, path
        assert "<img" not in answer.text, path
        assert "<b>{" not in answer.text, path
        assert "49" not in re.sub(r"\w{32,}|\d+:\d+", "", answer.text), path
        assert "&lt;script&gt;" in answer.text, path


async def test_what_a_person_typed_wrong_is_not_markup_in_the_answer(opened: Opened) -> None:
    otto = await opened.operator()
    for path in ("/log?since=%3Cscript%3E", "/%3Cscript%3E", "/message/%3Cscript%3Ealert(1)"):
        answer = await otto.get(path)
        assert answer.status in (400, 404)
        assert "<script>" not in answer.text


async def test_no_cell_of_the_export_is_a_formula(opening: Opening) -> None:
    rows = [{**ROW, "subject": text} for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "plain")]
    opened = await opening(log=rows)
    text = (await (await opened.operator()).get("/log.csv")).text
    for subject in ("'=1+1", "'+1", "'-1", "'@SUM(A1)", "plain"):
        assert f",{subject}," in text


# --- Streams -------------------------------------------------------------------------------------


async def test_one_session_opens_only_so_many_streams(opened: Opened) -> None:
    otto = await opened.operator()
    streams = []
    for _ in range(MOST_EACH):
        answer = await otto.session.get(f"{otto.base}/events")
        assert answer.status == 200
        streams.append(answer)
    assert (await otto.get("/events")).status == 503
    for answer in streams:
        answer.close()


async def test_a_mistake_of_ours_shows_nothing_of_what_it_was_about(opening: Opening) -> None:
    opened = await opening(figures=[{"secret": "hunter2"}])
    otto = await opened.browser()
    await otto.sign_in("otto")
    answer = await otto.get("/")
    assert answer.status == 500
    assert "hunter2" not in answer.text
    assert opened.events("console-broke")[0]["path"] == "/"


# --- Octets that no browser sends ----------------------------------------------------------------


async def answered(opened: Opened, octets: bytes) -> bytes:
    """The status line of the answer."""
    host, _, port = opened.console.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(octets)
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return line.strip()


@pytest.mark.parametrize(
    ("target", "field", "status"),
    [
        (b"/sign-in?next=//[", b"", b"200"),
        (b"/sign-in?next=http://[", b"", b"200"),
        (b"/sign-in?next=%ED%A0%80", b"", b"200"),
        (b"/sign-in", b"Cookie: graphrelay=\xff\xfe", b"200"),
        (b"/sign-in/microsoft", b"Cookie: graphrelay-microsoft=\xff", b"404"),
        (b"/enter/%FF%ED%A0%80", b"", b"403"),
        (b"/sign-in", b"Sec-Fetch-Site: \xff<script>", b"403"),
        (b"/metrics", b"Accept: \xff;q=x", b"200"),
    ],
)
async def test_no_octet_of_a_stranger_is_a_mistake_of_ours(
    opened: Opened, target: bytes, field: bytes, status: bytes
) -> None:
    octets = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n\r\n" % (target, field or b"A: b")
    assert (await answered(opened, octets)).split()[1] == status
    assert opened.events("console-broke") == []


@pytest.mark.parametrize(
    "host", [b"::1", b"fe80::1%<script>", b"[fe80::1%25eth0]", b"\xff", b"a@localhost", b"["]
)
async def test_a_host_that_is_no_address_in_its_form_is_refused(
    opened: Opened, host: bytes
) -> None:
    status = await answered(opened, b"GET /sign-in HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
    assert status.split()[1] == b"421"
    assert opened.events("console-broke") == []


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET <script>\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
        b"Content-Length: 10\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"GET /sign-in HTTP/1.1\nHost: 127.0.0.1\n\n",
    ],
)
async def test_what_is_no_http_or_has_two_ends_is_refused_with_a_line_in_the_journal(
    opened: Opened, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What a proxy before the console would read otherwise (request smuggling); and no traceback in
    the system's log."""
    assert (await answered(opened, octets)).split()[1] == b"400"
    [line] = opened.events("request-refused")
    assert line["client"] == "127.0.0.1"
    assert "\n" not in line["reason"]
    assert not caplog.records


# --- Who is impatient ----------------------------------------------------------------------------


async def test_who_asks_for_many_pages_at_once_has_one_question_under_way(
    opening: Opening,
) -> None:
    may_answer, asked = asyncio.Event(), 0

    async def slow(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        nonlocal asked
        asked += 1
        await may_answer.wait()
        yield ROW

    opened = await opening()
    vera, otto = await opened.viewer(), await opened.operator()
    opened.verbs["queue-list"] = slow
    pages = [asyncio.create_task(vera.get("/queue")) for _ in range(MOST_WAITING + 2)]
    refused = await asyncio.wait(pages, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert [one.result().status for one in refused[0]] == [429]
    assert asked == 1
    assert (await vera.get("/static/console.css")).status == 200
    # For operators; it starts a process, which takes long and asks the spool nothing.
    assert (await vera.get("/setup")).status == 403
    assert (await otto.get("/log")).status == 200, "others go on"
    acted = await vera.post("/sign-out")
    assert acted.status == 303, "and so do forms"
    may_answer.set()
    assert [one.status for one in await asyncio.gather(*pages)].count(200) == MOST_WAITING + 1
