"""Which account and mailbox submit, in whose name, and who may send at all."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address, Envelope, Lane, Origin, Plan, Reply
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity, SendAsUser
from graphrelay.relay.accept import router
from graphrelay.relay.accept.router import Parts, Route, RoutingInput, RoutingTable
from tests.relay.mail import ORIGIN, addresses

WEBSITE = Account(
    "website", "t", "c", SendAsUser("wp@contoso.com"), ("wp@contoso.com", "info@contoso.com")
)
TENANT = Account("tenant", "t", "c", AnyUser(ManagedIdentity()), ("*@contoso.com",))


def transaction(
    sender: str | None = "wp@contoso.com",
    *recipients: str,
    authors: tuple[str, ...] | None = None,
    senders: tuple[str, ...] = (),
    origin: Origin = ORIGIN,
) -> RoutingInput:
    path = Address.parse(sender) if sender else None
    written = ((sender,) if sender else ()) if authors is None else authors
    return RoutingInput(
        envelope=Envelope(path, addresses(*(recipients or ("a@b.example",)))),
        origin=origin,
        authors=addresses(*written),
        senders=addresses(*senders),
    )


def routed(wanted: RoutingInput, *routes: Route, **more: Any) -> Parts | Reply:
    return router.route(wanted, router.table(routes, [WEBSITE, TENANT], **more))


def the_plan(wanted: RoutingInput, *routes: Route) -> Plan:
    parts = routed(wanted, *routes)
    assert not isinstance(parts, Reply), parts
    ((plan, _),) = parts
    return plan


def test_one_account_needs_no_routes() -> None:
    table = router.table([], [WEBSITE])
    parts = router.route(transaction(), table)
    lane = Lane("website", "wp@contoso.com")
    assert parts == ((Plan(route="default", lane=lane), addresses("a@b.example")),)


def test_two_accounts_without_a_route_take_nothing() -> None:
    reply = routed(transaction())
    assert isinstance(reply, Reply)
    assert reply.code == 550
    assert "<wp@contoso.com> to <a@b.example>" in reply.text


def test_without_an_account_mail_is_refused_for_now_only() -> None:
    reply = router.route(transaction(), router.table([], []))
    assert isinstance(reply, Reply)
    assert (reply.code, reply.status) == (450, "4.3.5")


def test_a_plan_is_remembered_for_its_route_its_sender_and_its_table() -> None:
    kept = Route(name="kept", account="tenant", recipient=("*@kept.example",))
    table = router.table([kept, LAST], [WEBSITE, TENANT])
    to = "a@kept.example", "a@b.example"

    def plans(sender: str, **more: Any) -> dict[str, Plan]:
        parts = router.route(transaction(sender, *to, **more), table)
        assert not isinstance(parts, Reply)
        return {plan.route: plan for plan, _ in parts}

    first, again = plans("wp@contoso.com"), plans("wp@contoso.com")
    assert all(again[name] is first[name] for name in ("kept", "last"))
    assert first["kept"].lane.mailbox == "wp@contoso.com"
    assert first["last"].lane.mailbox == "last@contoso.com"
    assert plans("info@contoso.com")["kept"].lane.mailbox == "info@contoso.com"
    assert first["kept"].from_address is None
    assert plans("wp@contoso.com", authors=())["kept"].from_address == "wp@contoso.com"
    assert not replace(table, routes=(LAST,)).plans


def test_not_more_plans_than_a_thousand_are_remembered() -> None:
    table = router.table([], [TENANT])
    for number in range(2_500):
        assert not isinstance(router.route(transaction(f"{number}@contoso.com"), table), Reply)
    assert 0 < len(table.plans) <= 1_000


# --- Which route ----------------------------------------------------------------------------------

LAST = Route(name="last", account="tenant", mailbox="last@contoso.com")
CONDITIONS = [
    ({"sender": ("*@contoso.com",)}, True),
    ({"sender": ("WP@CONTOSO.COM",)}, True),
    ({"sender": ("*@other.example", "wp@*")}, True),
    ({"sender": ("*@other.example",)}, False),
    ({"sender": ("<>",)}, False),
    ({"recipient": ("a@B.example",)}, True),
    ({"recipient": ("*@x.example",)}, False),
    ({"listener": ("127.0.0.1:2525",)}, True),
    ({"listener": ("127.0.0.1:25",)}, False),
    ({"login": ("scanner",)}, False),
    ({"client": (ip_network("127.0.0.0/8"),)}, True),
    ({"client": (ip_network("10.0.0.0/8"), ip_network("::1/128"))}, False),
    ({"header": (("X-Mailer", "word*"),)}, True),
    ({"header": (("x-mailer", "*press*"), ("X-Other", "*"))}, False),
    ({"header": (("X-Mailer", "drupal*"),)}, False),
]


@pytest.mark.parametrize(("conditions", "holds"), CONDITIONS)
def test_the_first_route_whose_conditions_all_hold_is_taken(
    conditions: dict[str, Any], holds: bool
) -> None:
    first = Route(name="first", account="website", **conditions)
    wanted = replace(transaction(), header={"x-mailer": ("php", "WordPress 6")})
    assert the_plan(wanted, first, LAST).route == ("first" if holds else "last")


def test_a_login_a_mapped_address_and_a_socket_are_distinguished() -> None:
    scanner = Route(name="scanner", account="website", login=("scanner",))
    near = Route(name="near", account="website", client=(ip_network("10.0.0.0/8"),))
    logins = {"scanner": (), "other": ()}
    for origin, name in [
        (replace(ORIGIN, login="scanner"), "scanner"),
        (replace(ORIGIN, login="other"), "last"),
        (replace(ORIGIN, client="::ffff:10.1.2.3"), "near"),
        (replace(ORIGIN, client="unix"), "last"),
    ]:
        parts = routed(transaction(origin=origin), scanner, near, LAST, logins=logins)
        assert not isinstance(parts, Reply)
        assert parts[0][0].route == name


def test_the_sender_is_the_author_and_where_there_is_none_the_envelope_sender() -> None:
    shop = Route(name="shop", account="website", sender=("shop@contoso.com",))
    assert (
        the_plan(transaction("www@host", authors=("shop@contoso.com",)), shop, LAST).route == "shop"
    )
    assert the_plan(transaction("shop@contoso.com", authors=()), shop, LAST).route == "shop"
    assert the_plan(transaction("shop@contoso.com", authors=("x@y",)), shop, LAST).route == "last"
    null = Route(name="null", account="website", sender=("<>",))
    assert the_plan(transaction(None, authors=()), null, LAST).route == "null"


def test_recipients_with_different_routes_become_parts() -> None:
    inside = Route(name="inside", account="website", recipient=("*@contoso.com",))
    to = ("a@b.example", "c@contoso.com", "d@e.example", "A@b.example")
    parts = routed(transaction("wp@contoso.com", *to), inside, LAST)
    assert not isinstance(parts, Reply)
    assert [(plan.route, paths) for plan, paths in parts] == [
        ("last", addresses("a@b.example", "d@e.example")),
        ("inside", addresses("c@contoso.com")),
    ]


def test_a_message_with_a_recipient_that_no_route_takes_is_refused_whole() -> None:
    inside = Route(name="inside", account="website", recipient=("*@contoso.com",))
    reply = routed(transaction("wp@contoso.com", "c@contoso.com", "a@b.example"), inside)
    assert isinstance(reply, Reply)
    assert "<a@b.example>" in reply.text


def test_many_recipients_become_several_submissions() -> None:
    to = [f"user{n}@b.example" for n in range(1201)]
    parts = routed(transaction("wp@contoso.com", *to), LAST)
    assert not isinstance(parts, Reply)
    assert [len(paths) for _, paths in parts] == [500, 500, 201]


@given(
    st.lists(st.sampled_from([f"{c}@{d}.example" for c in "abAB" for d in "xy"]), min_size=1),
    st.integers(1, 4),
)
def test_the_parts_are_the_envelope_each_recipient_once(to: list[str], most: int) -> None:
    inside = Route(name="x", account="website", recipient=("*@x.example",))
    parts = routed(transaction("wp@contoso.com", *to), inside, LAST, max_recipients=most)
    assert not isinstance(parts, Reply)
    keys = [path.key for _, paths in parts for path in paths]
    assert sorted(keys) == sorted({Address.parse(one).key for one in to})
    assert all(1 <= len(paths) <= most for _, paths in parts)


# --- Which mailbox and which From -----------------------------------------------------------------


def plan_of(author: str | None, sender: str | None = "www@host", **settings: Any) -> Plan:
    authors = (author,) if author else ()
    return the_plan(transaction(sender, authors=authors), Route(name="r", **settings))


@pytest.mark.parametrize(
    ("author", "rewrite", "from_address"),
    [
        ("info@contoso.com", "when-needed", None),
        ("WP@contoso.com", "when-needed", None),
        ("root@host", "when-needed", "wp@contoso.com"),
        (None, "when-needed", "wp@contoso.com"),
        ("info@contoso.com", "always", "wp@contoso.com"),
        ("root@host", "never", None),
        (None, "never", "wp@contoso.com"),
    ],
)
def test_from_is_rewritten_as_the_route_says(
    author: str | None, rewrite: str, from_address: str | None
) -> None:
    plan = plan_of(author, account="website", rewrite_from=rewrite)
    assert (plan.lane.mailbox, plan.from_address) == ("wp@contoso.com", from_address)


@pytest.mark.parametrize(
    ("author", "from_address"),
    [
        ("website@contoso.com", None),
        ("shop@contoso.com", None),
        ("wp@contoso.com", "website@contoso.com"),
        ("root@host", "website@contoso.com"),
    ],
)
def test_from_is_an_address_of_the_mailbox_and_not_the_sign_in_name(
    author: str, from_address: str | None
) -> None:
    """Exchange refuses a user principal name that is not an address (ErrorSendAsDenied)."""
    account = replace(
        WEBSITE, address="website@contoso.com", aliases=("shop@contoso.com",), mailboxes=()
    )
    for mailbox in (None, "sender", "wp@contoso.com", "shop@contoso.com"):
        table = router.table([Route(name="r", account="website", mailbox=mailbox)], [account])
        parts = router.route(transaction("www@host", authors=(author,)), table)
        assert not isinstance(parts, Reply)
        ((plan, _),) = parts
        assert plan.lane == Lane("website", "website@contoso.com")  # one lane for one mailbox
        assert plan.from_address == from_address


def test_the_sender_may_name_the_mailbox() -> None:
    plan = plan_of("Jane@Contoso.com", account="tenant", mailbox="sender")
    assert (plan.lane, plan.from_address) == (Lane("tenant", "jane@contoso.com"), None)
    plan = plan_of(None, "jane@contoso.com", account="tenant", mailbox="sender")
    assert (plan.lane.mailbox, plan.from_address) == ("jane@contoso.com", "jane@contoso.com")


def test_an_application_submits_through_the_senders_own_mailbox() -> None:
    application = Account(
        "app", "t", "c", AnyUser(ManagedIdentity()), ("wp@contoso.com", "*@contoso.com")
    )
    table = router.table([], [application])
    for author, mailbox in [("jane@contoso.com", "jane@contoso.com"), ("root@h", "wp@contoso.com")]:
        parts = router.route(transaction("www@host", authors=(author,)), table)
        assert not isinstance(parts, Reply)
        assert parts[0][0].lane.mailbox == mailbox


def test_a_sender_from_outside_goes_through_the_accounts_own_mailbox() -> None:
    plan = plan_of("root@host", account="website", mailbox="sender")
    assert (plan.lane.mailbox, plan.from_address) == ("wp@contoso.com", "wp@contoso.com")


@pytest.mark.parametrize(
    "settings", [{"account": "tenant"}, {"account": "website", "rewrite_from": "never"}]
)
def test_a_sender_without_a_mailbox_is_refused_with_the_rule(settings: dict[str, Any]) -> None:
    reply = routed(
        transaction("root@host", authors=("root@host",)),
        Route(name="own", mailbox="sender", **settings),
    )
    assert isinstance(reply, Reply)
    assert (reply.code, reply.status) == (550, "5.7.1")
    assert "'own'" in reply.text
    assert "<root@host>" in reply.text


@pytest.mark.parametrize(
    "author",
    [
        "x@contoso.com/../victim@contoso.com",
        "../victim@contoso.com",
        "a%2Fb@contoso.com",
        "a?b@contoso.com",
        "a#b@contoso.com",
        '"a b"@contoso.com',
        "jürgen@contoso.com",
        ".@contoso.com",
        "a\\b@contoso.com",
    ],
)
def test_no_address_from_a_header_becomes_a_path(author: str) -> None:
    reply = routed(
        transaction("root@host", authors=(author,)),
        Route(name="own", account="tenant", mailbox="sender"),
    )
    assert isinstance(reply, Reply)


# --- Who may send as whom -------------------------------------------------------------------------

SCANNER = replace(ORIGIN, login="scanner")
SENDERS = {"scanner": ("scanner@contoso.com",), "free": ()}
MINE = "scanner@contoso.com"
OTHER = "boss@contoso.com"


def table() -> RoutingTable:
    return router.table([LAST], [TENANT], logins=SENDERS)


@pytest.mark.parametrize("logins", [{"free": ()}, {}])
def test_a_login_that_was_taken_away_sends_no_more(logins: dict[str, tuple[str, ...]]) -> None:
    """The login was limited; without its entry it would not be."""
    after = router.table([LAST], [TENANT], logins=logins)
    inside = transaction(MINE, "a@b.example", authors=(OTHER,), origin=SCANNER)
    refusal = router.route(inside, after)
    assert isinstance(refusal, Reply)
    assert "no login 'scanner' any more" in refusal.text


@pytest.mark.parametrize(
    ("sender", "authors", "senders", "where"),
    [
        (OTHER, (MINE,), (), "MAIL FROM"),
        (MINE, (OTHER,), (), "From"),
        (MINE, (MINE, OTHER), (), "From"),
        (MINE, (MINE,), (OTHER,), "Sender"),
        (None, (OTHER,), (), "From"),
    ],
)
def test_a_limited_login_gets_no_other_address_out(
    sender: str | None, authors: tuple[str, ...], senders: tuple[str, ...], where: str
) -> None:
    wanted = transaction(sender, authors=authors, senders=senders, origin=SCANNER)
    reply = router.route(wanted, table())
    assert isinstance(reply, Reply)
    assert (reply.code, reply.status) == (550, "5.7.1")
    assert f"may not send as <{OTHER}> ({where})" in reply.text
    assert MINE in reply.text


@pytest.mark.parametrize("sender", [MINE, "SCANNER@contoso.com", None])
def test_a_limited_login_sends_as_itself(sender: str | None) -> None:
    wanted = transaction(sender, authors=(MINE,), senders=(MINE,), origin=SCANNER)
    assert not isinstance(router.route(wanted, table()), Reply)


@pytest.mark.parametrize("author", ["\u017fcanner@contoso.com", "scanner@conto\u017fo.com"])
def test_no_other_letter_passes_for_one_of_its_own(author: str) -> None:
    """Case folding turns the long s into an s."""
    assert isinstance(
        router.route(transaction(MINE, authors=(author,), origin=SCANNER), table()), Reply
    )


def test_a_limited_login_reports_from_the_null_path_in_its_own_name() -> None:
    wanted = transaction(None, authors=(MINE,), origin=SCANNER)
    assert not isinstance(router.route(wanted, table()), Reply)


def test_a_limited_login_must_say_in_whose_name_it_sends() -> None:
    """Otherwise it would be sent in the name of the route's mailbox without permission."""
    reply = router.route(transaction(None, authors=(), origin=SCANNER), table())
    assert isinstance(reply, Reply)
    assert (reply.code, reply.status) == (550, "5.7.1")
    assert reply.text == f"Login 'scanner' must say in whose name it sends: {MINE}"


@pytest.mark.parametrize("login", ["free", None])
def test_who_is_not_limited_may_name_nobody(login: str | None) -> None:
    wanted = transaction(None, authors=(), origin=replace(ORIGIN, login=login))
    assert not isinstance(router.route(wanted, table()), Reply)


@pytest.mark.parametrize("login", ["free", None])
def test_others_are_not_limited(login: str | None) -> None:
    wanted = transaction(OTHER, origin=replace(ORIGIN, login=login))
    assert not isinstance(router.route(wanted, table()), Reply)


def test_a_refusal_quotes_nothing_that_could_end_its_line() -> None:
    author = "a\r\n250 ok\udcff" + "x" * 500 + "@b"
    reply = router.route(transaction(MINE, authors=(author,), origin=SCANNER), table())
    assert isinstance(reply, Reply)
    assert "<a 250 ok xxx" in reply.text
    assert len(reply.text) < 250
    reply.text.encode()


# --- What routes add ------------------------------------------------------------------------------


def test_a_route_may_add_recipients_once() -> None:
    archive = Route(name="r", account="website", bcc_always=("archive@contoso.com", "A@B.example"))
    parts = routed(transaction(), archive)
    assert not isinstance(parts, Reply)
    assert [paths for _, paths in parts] == [addresses("a@b.example", "archive@contoso.com")]
    assert [plan.unseen for plan, _ in parts] == [addresses("archive@contoso.com")]


def test_who_is_added_by_two_routes_or_named_already_receives_once() -> None:
    archive = ("archive@contoso.com", "d@contoso.com")
    inside = Route(name="r", account="website", recipient=("*@contoso.com",), bcc_always=archive)
    rest = Route(name="r", account="tenant", mailbox="x@contoso.com", bcc_always=archive)
    parts = routed(transaction("wp@contoso.com", "a@b.example", "d@contoso.com"), inside, rest)
    assert not isinstance(parts, Reply)
    assert [(plan.lane.account, paths) for plan, paths in parts] == [
        ("tenant", addresses("a@b.example", "archive@contoso.com")),
        ("website", addresses("d@contoso.com")),
    ]


def test_what_the_route_says_about_the_message_is_planned() -> None:
    more: dict[str, Any] = {
        "reply_to": "desk@contoso.com",
        "subject_prefix": "[test]",
        "redirect_to": "me@x.example",
    }
    plan = the_plan(transaction(), Route(name="r", account="website", **more))
    assert (plan.reply_to, plan.subject_prefix, plan.redirect_to) == tuple(more.values())


def test_a_redirected_message_is_never_split() -> None:
    staging = Route(name="staging", account="website", redirect_to="me@x.example")
    parts = routed(transaction("a@b", "b@c", "d@e", "f@g"), staging, max_recipients=2)
    assert not isinstance(parts, Reply)
    assert len(parts) == 1


# --- Why ------------------------------------------------------------------------------------------

REASONS: list[tuple[dict[str, Any], str]] = [
    ({"sender": ("x@y", "*@z")}, "sender is wp@contoso.com, not x@y or *@z"),
    ({"recipient": ("x@y",)}, "recipient is a@b.example, not x@y"),
    ({"listener": ("[::1]:25",)}, "listener is 127.0.0.1:2525, not [::1]:25"),
    ({"login": ("scanner",)}, "login is none, not scanner"),
    ({"client": (ip_network("10.0.0.0/8"),)}, "client is 127.0.0.1, not 10.0.0.0/8"),
    ({"header": (("X-Mailer", "w*"), ("X-A", "b"))}, "header X-A is absent, not b"),
    ({"header": (("X-Mailer", "b*"),)}, "header X-Mailer is word, not b*"),
]


@pytest.mark.parametrize(("conditions", "reason"), REASONS)
def test_it_is_explained_why_a_route_was_not_taken(conditions: dict[str, Any], reason: str) -> None:
    wanted = replace(transaction(), header={"x-mailer": ("word",)})
    first = Route(name="first", account="website", **conditions)
    found = router.explain(wanted, router.table([first, LAST, first], [WEBSITE, TENANT]))
    ((recipient, considered),) = found.considered
    assert str(recipient) == "a@b.example"
    assert [(one.route, one.why_not) for one in considered] == [("first", reason), ("last", None)]
    assert not isinstance(found.result, Reply)
    assert found.result[0][0].route == "last"


def test_the_table_knows_which_headers_are_asked_for() -> None:
    routes = [
        Route(name="a", account="website", header=(("X-A", "*"), ("X-B", "*"))),
        Route(name="b", account="website", header=(("x-a", "c"),)),
    ]
    assert router.table(routes, [WEBSITE]).header_names == ("x-a", "x-b")
