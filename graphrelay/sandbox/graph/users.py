"""GET /me and /users/{id}: how a program finds out which user it acts for."""

from typing import Any

from aiohttp import web

from graphrelay.sandbox.graph.call import METADATA, Call
from graphrelay.sandbox.graph.query import Query


async def user(call: Call) -> web.Response:
    """The profile; only the selected properties where any are named."""
    query = Query.of(call.request)
    who = call.box
    given, _, family = who.display_name.partition(" ")
    every: dict[str, Any] = {
        "businessPhones": [],
        "displayName": who.display_name,
        "givenName": given,
        "jobTitle": None,
        "mail": who.primary_address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": family or None,
        "userPrincipalName": who.upn,
        "id": who.oid,
    }
    extra = {
        "proxyAddresses": [
            f"{'SMTP' if address == who.primary_address else 'smtp'}:{address}"
            for address in who.addresses
        ],
        "accountEnabled": who.enabled,
    }
    if query.select:
        every = {name: one for name, one in (every | extra).items() if name in query.select}
    return call.answer(200, {"@odata.context": f"{METADATA}#users/$entity", **every})
