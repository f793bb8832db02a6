from tests.sandbox.world import World, code_of


async def test_me_says_who_signed_in(world: World) -> None:
    graph = await world.user(scopes="User.Read")
    me = (await graph.http.get("/me")).json()
    assert (me["userPrincipalName"], me["mail"]) == ("wp@contoso.com", "wp@contoso.com")
    assert me["displayName"] == "Website"
    by_id = (await graph.http.get(f"/users/{me['id']}", params={"$select": "mail"})).json()
    assert by_id["mail"] == "wp@contoso.com"
    assert "displayName" not in by_id


async def test_a_profile_needs_a_permission_of_its_own(world: World) -> None:
    graph = await world.user(scopes="Mail.Send")
    answer = await graph.http.get("/me")
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")
    graph = await world.user(scopes="User.Read")
    answer = await graph.http.get("/users/alice@contoso.com")
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")


async def test_an_application_reads_everybody(world: World) -> None:
    graph = await world.application("User.Read.All")
    answer = await graph.http.get("/users/alice@contoso.com", params={"$select": "proxyAddresses"})
    assert answer.json()["proxyAddresses"] == ["SMTP:alice@contoso.com"]
    answer = await graph.http.get("/users/nobody@contoso.com")
    assert (answer.status_code, code_of(answer)) == (404, "Request_ResourceNotFound")
