"""Whose mailbox: the names by which Graph finds one, and what it denies."""

from urllib.parse import quote

from graphrelay.control.verbs.scope import WITHOUT_RECIPIENTS, Reach, reach_of
from graphrelay.doctor.examination import Examination, mime, said
from graphrelay.doctor.finding import Finding, LeftOut, NotKnown, judged
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.session import GraphReply, mailbox_path
from graphrelay.model import Address, same_address


async def by_own(of: Examination) -> Finding:
    """/me"""
    if not of.account.is_own_mailbox(of.mailbox):
        return LeftOut("the account's mailbox is not that of the user who signed in")
    return _sent(await of.send(of.letter("path-own"), "/me"))


async def by_upn(of: Examination) -> Finding:
    """/users/, and the user principal name."""
    upn = _upn(of)
    if "@" not in upn:
        return LeftOut("the configuration names the mailbox by its object id")
    return _sent(await of.send(of.letter("path-upn"), mailbox_path(upn)))


async def by_address(of: Examination) -> Finding:
    """/users/, and an SMTP address that is not a user principal name."""
    address = next((one for one in _addresses(of) if not same_address(one, _upn(of))), "")
    if not address:
        return LeftOut("the mailbox has no other address than its user principal name")
    reply = await of.send(of.letter("path-address"), mailbox_path(address))
    return judged(reply.status == 404, said(reply))


async def by_object_id(of: Examination) -> Finding:
    """/users/, and the object id."""
    oid = await of.object_id()
    if not oid:
        return NotKnown("neither the token nor user_ids says the object id")
    of.record.redactor.hide({oid: "(object id)"})
    return _sent(await of.send(of.letter("path-object-id"), mailbox_path(oid)))


def _upn(of: Examination) -> str:
    if of.account.is_own_mailbox(of.mailbox):
        return of.account.username or ""
    return of.account.user_of(of.mailbox) or ""


def _addresses(of: Examination) -> tuple[str, ...]:
    if of.account.is_own_mailbox(of.mailbox):
        return of.account.own_names
    return (of.mailbox,)


def _sent(reply: GraphReply) -> Finding:
    return judged(reply.status == 202, said(reply))


async def probe(of: Examination) -> Finding:
    """Without recipients, in the mailbox and, if it is named, in one outside."""
    inside = await probed(of, of.box)
    right = inside.status == 400 and _code(inside) == "errorinvalidrecipients"
    seen = f"inside: {said(inside)}"
    if not of.wish.outside:
        return judged(right, f"{seen}; no mailbox outside was named (--outside)")
    outside = await probed(of, mailbox_path(of.wish.outside))
    denied = reach_of(of.wish.outside, outside).reach is Reach.DENIED
    return judged(right and denied, f"{seen}; outside: {said(outside)}")


async def probed(of: Examination, box: str) -> GraphReply:
    """The answer to a message without possible recipients."""
    return await of.request("POST", f"{box}/sendMail", mime(WITHOUT_RECIPIENTS))


def _code(reply: GraphReply) -> str:
    outcome = getattr(reply.outcome, "answer", None)
    return outcome.code.lower() if outcome else ""


async def denials(of: Examination) -> Finding:
    """What must not succeed. The only letter goes to the account's own mailbox, in the name of
    ADDRESS, if Exchange permits it."""
    domain = Address.parse(of.mailbox).domain
    unknown = await probed(of, f"/users/nobody.{of.run}@{quote(domain)}")
    url = f"{of.reach.graph_url}/v1.0/me/mailFolders"
    false = await of.bare("GET", url, {"Authorization": "Bearer graphrelay-doctor"})
    seen = [f"unknown mailbox: {said(unknown)}", f"false token: {said(false)}"]
    right = unknown.status in (403, 404)
    right &= isinstance(false, HttpAnswer) and false.status == 401
    if any(same_address(of.wish.to, own) for own in (of.mailbox, *of.account.own_names)):
        return judged(right, "; ".join(seen))
    foreign = await of.send(of.letter("foreign-from", sender=of.wish.to))
    seen.append(f"foreign From: {said(foreign)}")
    right &= foreign.status == 403 and _code(foreign) == "errorsendasdenied"
    return judged(right, "; ".join(seen))
