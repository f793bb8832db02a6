"""The page of a dialog: what the person does next."""

from tests.console.conftest import Browser, Opening

DEVICE = {"kind": "device", "url": "https://login.example/device", "code": "ABCD-EFGH"}
ASKS = {"kind": "asks", "permissions": [], "admin": [], "risk": ""}


async def begun(browser: Browser) -> str:
    answer = await browser.post("/accounts/website/authorize", {"method": "device"})
    return answer.headers["Location"]


async def test_a_code_is_shown_with_where_to_enter_it(opening: Opening) -> None:
    opened = await opening(authorize=[ASKS, DEVICE, {"kind": "waiting", "seconds": 9}])
    otto = await opened.operator()
    end = await otto.get(await begun(otto))
    assert end.status == 200
    assert "Authorize: <bdi>website</bdi>" in end.text


async def test_the_result_is_shown(opening: Opening) -> None:
    refused = {"kind": "refused", "account": "website", "reason": "alice signed in"}
    opened = await opening(authorize=[ASKS, DEVICE, refused])
    otto = await opened.operator()
    text = (await otto.get(await begun(otto))).text
    assert "Not authorized." in text
    assert "alice signed in" in text
    assert "http-equiv" not in text, "it is over"


async def test_nobody_else_sees_it(opening: Opening) -> None:
    opened = await opening(authorize=[ASKS, DEVICE])
    otto, vera = await opened.operator(), await opened.viewer()
    path = await begun(otto)
    assert (await vera.get(path)).status == 404
    assert (await otto.get(path)).status == 200


async def test_stopping_it_leads_back(opening: Opening) -> None:
    opened = await opening(authorize=[ASKS, DEVICE])
    otto = await opened.operator()
    path = await begun(otto)
    await otto.get(path)
    assert (await otto.post(f"{path}/end")).headers["Location"] == "/accounts"
    assert (await otto.get(path)).status == 404
