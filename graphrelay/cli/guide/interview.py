"""The interview of `graphrelay init`: from questions to a `Setup`.

Each question explains its consequences. The registration is shown as soon as everything is known
except the ids, since the registration produces them.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import click

from graphrelay.cli.guide.config import WHAT, beside
from graphrelay.cli.guide.questions import (
    Questions,
    a_tenant,
    absolute,
    account_name,
    an_id,
    day_or_nothing,
    listener_address,
    mailboxes,
    networks_for,
    no_secret_id,
    option_of,
    some_mailboxes,
)
from graphrelay.cli.guide.setup import NO_ID, Setup, credential_of
from graphrelay.config.settings import CloudTable
from graphrelay.config.units import day, mailbox
from graphrelay.config.warnings import on_the_network
from graphrelay.control.socket.place import state_directory_or_default
from graphrelay.model import same_address
from graphrelay.oauth.scenario import (
    SCENARIO_NAMES,
    Account,
    AccountOptions,
    AnyUser,
    Application,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Personal,
    Scenario,
    ScopedUsers,
    SecretFile,
    SendAsUser,
    own_names,
    uses_others,
)

Show = Callable[[Setup], None]

WHY_SCENARIO = "How may the account send? The relay never falls back to another scenario."
WHY_CREDENTIAL = {
    "certificate": "a key that stays on this machine; Entra gets the public part",
    "secret": "a password of the application; it expires after two years at most",
    "managed-identity": "this machine runs in Azure, which vouches for it; no secret to keep",
    "federated": "another identity provider vouches for it (Kubernetes, a CI system)",
}


def interview(questions: Questions, show: Show) -> tuple[Setup, str | None]:
    """The setup, and the client secret if it was typed. `show` is called when everything is known
    except the ids that the registration produces."""
    meanings = {SCENARIO_NAMES[kind]: WHAT[kind] for kind in SCENARIO_NAMES}
    scenario = questions.choose("scenario", WHY_SCENARIO, meanings, "user")
    credential = _credential_name(questions, scenario)
    _refuse_what_is_missing(questions, scenario)
    name = questions.ask(
        "account", "A name for this account, of your choice.", "Name", account_name, "website"
    )
    cloud = _cloud(questions, scenario)
    tenant = "" if scenario == "personal" else _tenant(questions)
    username = _username(questions, scenario)
    address = _address(questions, scenario, username)
    boxes = _mailboxes(questions, scenario, address)
    own = own_names(username, address, ())
    draft = _files(questions, credential, name) if credential else None
    client_id, options = _client_id(questions), _options(questions)
    listener = _listener(questions)
    setup = Setup(
        account=Account(
            name=name,
            tenant=tenant,
            client_id=client_id,
            scenario=_scenario(scenario, username, own, boxes, draft),
            mailboxes=boxes,
            address="" if same_address(address, username) else address,
            options=options,
        ),
        cloud=cloud,
        listener=listener,
        allow_from=_allow_from(questions, listener),
        state_directory=_state_directory(questions),
    )
    show(setup)
    return _with_ids(questions, setup)


def _refuse_what_is_missing(questions: Questions, scenario: str) -> None:
    """With `--yes` there are values that have no default."""
    if not questions.silent:
        return
    needed = ["username"] if scenario in ("user", "personal") else ["mailboxes"]
    if missing := [option_of(key) for key in needed if not questions.given(key)]:
        raise click.UsageError(f"--yes with scenario {scenario} needs {', '.join(missing)}")


def _credential_name(questions: Questions, scenario: str) -> str | None:
    if scenario in ("user", "personal"):
        _refuse(questions, scenario, "credential", *_FILES)
        return None
    _refuse(questions, scenario, "username")
    implied = (name for name, keys in _IMPLIES.items() if any(questions.given(key) for key in keys))
    why = "How does the application prove itself?"
    return questions.choose("credential", why, WHY_CREDENTIAL, next(implied, "certificate"))


_FILES = (
    "client_secret_file",
    "client_secret_expires",
    "certificate_file",
    "certificate_key_file",
    "certificate_password_file",
    "federated_token_file",
)
_IMPLIES = {
    "secret": _FILES[:2],
    "certificate": _FILES[2:5],
    "federated": _FILES[5:],
}


def _refuse(questions: Questions, scenario: str, *keys: str) -> None:
    if wrong := [option_of(key) for key in keys if questions.given(key)]:
        raise click.UsageError(f"{', '.join(wrong)}: not with scenario {scenario}")


def _cloud(questions: Questions, scenario: str) -> CloudTable:
    keys = ("login_url", "graph_url", "ca_file", "proxy")
    choices = {
        "global": "almost everybody, including GCC",
        "us-gov-high": "US Government GCC High",
        "us-gov-dod": "US Government DoD",
        "china": "operated by 21Vianet",
    }
    name = questions.given("cloud")
    if name is None:
        why = "In which of Microsoft's clouds is the tenant?"
        personal = scenario == "personal"  # they exist in one cloud only
        name = "global" if personal else questions.choose("cloud", why, choices, "global")
    return CloudTable.model_construct(
        name=name, **{key: questions.given(key) for key in keys if questions.given(key)}
    )


def _tenant(questions: Questions) -> str:
    why = (
        "The tenant: its directory (tenant) ID, or one of its verified domains, such as "
        "contoso.onmicrosoft.com."
    )
    return questions.ask("tenant", why, "Tenant", a_tenant, NO_ID if questions.silent else None)


def _username(questions: Questions, scenario: str) -> str:
    if scenario not in ("user", "personal"):
        return ""
    why = "Who signs in? Mail is sent through this user's mailbox; anybody else is refused."
    return questions.ask("username", why, "User name", mailbox)


def _address(questions: Questions, scenario: str, username: str) -> str:
    if scenario not in ("user", "personal"):
        _refuse(questions, scenario, "address")
        return ""
    why = "The primary address of this user's mailbox, which need not be the user name."
    return questions.ask("address", why, "Primary address", mailbox, username)


def _mailboxes(questions: Questions, scenario: str, own: str) -> tuple[str, ...]:
    given = ", ".join(questions.given("mailboxes") or ()) or None
    asked = replace(questions, options={"mailboxes": given})
    if scenario == "personal":
        _refuse(questions, scenario, "mailboxes")
        return ()
    if scenario == "user":
        why = (
            "Other mailboxes that may be in From, separated by commas (the user needs Send As on "
            "them in Exchange, and the permission Mail.Send.Shared). Enter: none."
        )
        others = asked.ask("mailboxes", why, "Other mailboxes", mailboxes, "")
        return tuple(dict.fromkeys((own, *others))) if others else ()
    why = (
        "The mailboxes that mail may be sent through, separated by commas; *@contoso.com means a "
        "whole domain. The first full address is used where From is none of them."
    )
    return asked.ask("mailboxes", why, "Mailboxes", some_mailboxes)


def _client_id(questions: Questions) -> str:
    given = questions.given("client_id")
    return questions.ask("client_id", "", "", an_id) if given else ""


def _files(questions: Questions, credential: str, account: str) -> Credential:
    """Where the credential is kept; a secret itself is asked for later."""

    def path(key: str, why: str, suffix: str) -> Path:
        default = str(beside(questions.config, account, suffix))
        return questions.ask(key, why, "File", absolute, default)

    match credential:
        case "secret":
            file = questions.given("client_secret_file")
            place = Path(file) if file else beside(questions.config, account, "secret")
            return ClientSecret(SecretFile(place.absolute()), _end_of(questions))
        case "certificate":
            why = "The certificate with its private key, PEM or PFX. It need not exist yet."
            where = path("certificate_file", why, "pem")
            key, password = (_given_path(questions, f"certificate_{k}_file") for k in _PARTS)
            return Certificate(where, key, SecretFile(password) if password else None)
        case "federated":
            why = "The file in which the other provider keeps its token up to date."
            return FederatedToken(path("federated_token_file", why, "jwt"))
    return ManagedIdentity(_client_id(questions) or None)


_PARTS = ("key", "password")


def _given_path(questions: Questions, key: str) -> Path | None:
    given = questions.given(key)
    return Path(given).absolute() if given else None


def _scenario(
    name: str,
    username: str,
    own: tuple[str, ...],
    boxes: tuple[str, ...],
    credential: Credential | None,
) -> Scenario:
    match name:
        case "user":
            return SendAsUser(username, uses_others(boxes, own))
        case "personal":
            return Personal(username)
    assert credential is not None  # noqa: S101 (the interview asked)
    return (AnyUser if name == "any-user" else ScopedUsers)(credential)


def _options(questions: Questions) -> AccountOptions:
    large = questions.decide(
        "large_messages",
        "Do devices or programs send files over 3 MB, such as scans or reports with attachments? "
        "Such messages go through Drafts, which needs the permission Mail.ReadWrite; without it "
        "they are refused.",
        "Files over 3 MB",
    )
    exact = questions.decide(
        "exact_once",
        "If an answer of Microsoft's is lost, a message may be sent twice, unless the relay may "
        "look whether it was sent; that needs Mail.ReadWrite, too.",
        "Look before sending again",
    )
    return AccountOptions(large_messages=large, exact_once=exact)


def _listener(questions: Questions) -> str:
    why = "Where your applications connect. 127.0.0.1 means this machine only."
    return questions.ask("listener", why, "Address", listener_address, "127.0.0.1:2525")


def _allow_from(questions: Questions, listener: str) -> tuple[str, ...]:
    """Networks; empty for a listener that only this machine can reach."""
    given = ", ".join(questions.given("allow_from") or ()) or None
    if given is None and not on_the_network(listener):
        return ()
    if given is None and questions.silent:
        raise click.UsageError(f"--yes with --listener {listener} needs --allow-from")
    why = (
        "Which machines may connect? The networks of your printers and servers, separated by "
        "commas, such as 192.168.7.0/24; all others are refused."
    )
    asked = replace(questions, options={"allow_from": given})
    return asked.ask("allow_from", why, "Networks", networks_for(listener))


def _state_directory(questions: Questions) -> Path:
    if given := questions.given("state_directory"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/graphrelay")
    return state_directory_or_default(None).absolute()


def _end_of(questions: Questions) -> datetime | None:
    given = questions.given("client_secret_expires")
    return _first_moment(questions.ask("client_secret_expires", "", "", day)) if given else None


def _first_moment(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)


# --- What a registration produces ----------------------------------------------------------------


def _with_ids(questions: Questions, setup: Setup) -> tuple[Setup, str | None]:
    account, credential = setup.account, credential_of(setup.account)
    if isinstance(credential, ManagedIdentity):
        return setup, None
    if not account.client_id:
        why = "The id from the registration. Enter: add it to the file later."
        client_id = questions.ask("client_id", why, "Application (client) ID", an_id, NO_ID)
        setup = replace(setup, account=replace(account, client_id=client_id))
    if not isinstance(credential, ClientSecret) or questions.silent:
        return setup, None
    if questions.given("client_secret_file"):
        return setup, None
    return _with_secret(setup, credential)


def _with_secret(setup: Setup, credential: ClientSecret) -> tuple[Setup, str | None]:
    assert isinstance(credential.source, SecretFile)  # noqa: S101 (made above)
    click.echo(
        f"\nThe secret's value will be written to {credential.source.path}. Enter: add it later."
    )
    secret = click.prompt(
        "Value (not shown)",
        hide_input=True,
        default="",
        show_default=False,
        value_proc=no_secret_id,
    )
    if not secret:
        return setup, None
    click.echo("\nThe day on which it expires, so that the relay can warn you. Enter: not known.")
    ends = click.prompt("Day", default="", show_default=False, value_proc=day_or_nothing)
    if ends is None:
        return setup, secret
    return _with_credential(setup, replace(credential, ends_at=_first_moment(ends))), secret


def _with_credential(setup: Setup, credential: Credential) -> Setup:
    scenario = setup.account.scenario
    assert isinstance(scenario, Application)  # noqa: S101 (only applications have one)
    account = replace(setup.account, scenario=replace(scenario, credential=credential))
    return replace(setup, account=account)
