"""The interview of `graphrelay init` and of the page Set up: from questions to a `Setup`.

Each question explains its consequences. The questions are asked by a `Questions`: a terminal asks
one after the other, a form all at once. In a terminal the registration is shown as soon as
everything is known except the ids, since the registration produces them.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from graphrelay.config.settings import CloudTable
from graphrelay.config.units import day, mailbox
from graphrelay.config.warnings import on_the_network
from graphrelay.control.socket.place import state_directory_or_default
from graphrelay.guide.checks import (
    a_tenant,
    absolute,
    account_name,
    an_id,
    day_or_nothing,
    listener_address,
    mailboxes,
    networks_for,
    no_secret_id,
    some_mailboxes,
)
from graphrelay.guide.config import WHAT, beside
from graphrelay.guide.setup import NO_ID, Registration, Setup, credential_of
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

T = TypeVar("T")
Show = Callable[[Setup], None]


class Questions(Protocol):
    """Asks the questions. `config` is the file that the account will be in, `silent` whether
    defaults are taken without asking."""

    config: Path
    silent: bool

    def given(self, key: str) -> Any:
        """The value of an option, before anything is asked."""

    def ask(
        self,
        key: str,
        why: str,
        prompt: str,
        check: Callable[[str], T],
        default: str | None = None,
        *,
        example: str = "",
    ) -> T:
        """An answer that passes `check`, which raises `ValueError`; `example` passes it."""

    def choose(self, key: str, why: str, choices: Mapping[str, str], default: str) -> str:
        """One of several words, each explained."""

    def decide(self, key: str, why: str, prompt: str) -> bool:
        """Yes or no; the default is no."""

    def secret(self, why: str, check: Callable[[str], str]) -> str:
        """A secret, or nothing."""

    def refuse(self, text: str) -> NoReturn:
        """The answers given in advance contradict each other."""


def option_of(key: str) -> str:
    """`--mailbox` for `mailboxes`."""
    return "--mailbox" if key == "mailboxes" else f"--{key.replace('_', '-')}"


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
    found = _account(questions, lambda scenario: _cloud(questions, scenario))
    listener = _listener(questions)
    setup = Setup(
        account=found.account,
        cloud=found.cloud,
        listener=listener,
        allow_from=_allow_from(questions, listener),
        state_directory=_state_directory(questions),
    )
    show(setup)
    account, secret = _with_ids(questions, setup.account)
    return replace(setup, account=account), secret


def interview_about_account(
    questions: Questions, cloud: CloudTable, *, others: bool
) -> tuple[Registration, tuple[str, ...], str | None]:
    """The same for an additional account of a configured relay; `cloud` is the relay's. If it has
    `others`, also the senders whose mail goes through this one."""
    found = _account(questions, lambda _: cloud)
    senders = _senders(questions, found.account) if others else ()
    account, secret = _with_ids(questions, found.account)
    return replace(found, account=account), senders, secret


def _senders(questions: Questions, account: Account) -> tuple[str, ...]:
    own = (account.address or account.username,) if account.username else ()
    why = (
        "Which mail goes through this account? The addresses in From, separated by commas; "
        "*@contoso.com means a whole domain. Left empty: its own addresses. All other mail goes "
        "where it went before."
    )
    default = ", ".join(dict.fromkeys((*own, *account.mailboxes)))
    return questions.ask("senders", why, "Senders", some_mailboxes, default)


def _account(questions: Questions, cloud: Callable[[str], CloudTable]) -> Registration:
    """The account, perhaps without the ids that the registration produces."""
    meanings = {SCENARIO_NAMES[kind]: WHAT[kind] for kind in SCENARIO_NAMES}
    scenario = questions.choose("scenario", WHY_SCENARIO, meanings, "user")
    credential = _credential_name(questions, scenario)
    _refuse_what_is_missing(questions, scenario)
    name = questions.ask(
        "account", "Choose a name for this account.", "Name", account_name, "website"
    )
    of = cloud(scenario)
    tenant = "" if scenario == "personal" else _tenant(questions)
    username = _username(questions, scenario)
    address = _address(questions, scenario, username)
    boxes = _mailboxes(questions, scenario, address)
    own = own_names(username, address, ())
    draft = _files(questions, credential, name) if credential else None
    client_id, options = _client_id(questions), _options(questions)
    account = Account(
        name=name,
        tenant=tenant,
        client_id=client_id,
        scenario=_scenario(scenario, username, own, boxes, draft),
        mailboxes=boxes,
        address="" if same_address(address, username) else address,
        options=options,
    )
    return Registration(account=account, cloud=of)


def _refuse_what_is_missing(questions: Questions, scenario: str) -> None:
    """With `--yes`, values without a default must be given as options."""
    if not questions.silent:
        return
    needed = ["username"] if scenario in ("user", "personal") else ["mailboxes"]
    if missing := [option_of(key) for key in needed if not questions.given(key)]:
        questions.refuse(f"--yes with scenario {scenario} needs {', '.join(missing)}")


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
        questions.refuse(f"{', '.join(wrong)}: not with scenario {scenario}")


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
    default = NO_ID if questions.silent else None
    example = "contoso.onmicrosoft.com"
    return questions.ask("tenant", why, "Tenant", a_tenant, default, example=example)


def _username(questions: Questions, scenario: str) -> str:
    if scenario not in ("user", "personal"):
        return ""
    why = "Who signs in? Mail is sent through this user's mailbox; anybody else is refused."
    example = "me@outlook.com" if scenario == "personal" else "wp@contoso.com"
    return questions.ask("username", why, "User name", mailbox, example=example)


def _address(questions: Questions, scenario: str, username: str) -> str:
    if scenario not in ("user", "personal"):
        _refuse(questions, scenario, "address")
        return ""
    why = "The primary address of this user's mailbox, which need not be the user name."
    return questions.ask("address", why, "Primary address", mailbox, username)


def _mailboxes(questions: Questions, scenario: str, own: str) -> tuple[str, ...]:
    if scenario == "personal":
        _refuse(questions, scenario, "mailboxes")
        return ()
    if scenario == "user":
        why = (
            "Other mailboxes that may be in From, separated by commas (the user needs Send As on "
            "them in Exchange, and the permission Mail.Send.Shared). Enter: none."
        )
        others = questions.ask("mailboxes", why, "Other mailboxes", mailboxes, "")
        return tuple(dict.fromkeys((own, *others))) if others else ()
    why = (
        "The mailboxes that mail may be sent through, separated by commas; *@contoso.com means a "
        "whole domain. The first full address is used where From is none of them."
    )
    example = "alerts@contoso.com, *@contoso.com"
    return questions.ask("mailboxes", why, "Mailboxes", some_mailboxes, example=example)


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
        "If Microsoft's answer to a request is lost, the message may be sent twice, unless the "
        "relay can check whether it was sent; that needs Mail.ReadWrite too.",
        "Check before sending again",
    )
    return AccountOptions(large_messages=large, exact_once=exact)


def _listener(questions: Questions) -> str:
    why = "Where your applications connect. 127.0.0.1 means this machine only."
    return questions.ask("listener", why, "Address", listener_address, "127.0.0.1:2525")


def _allow_from(questions: Questions, listener: str) -> tuple[str, ...]:
    """Networks; empty for a listener that only this machine can reach."""
    given = questions.given("allow_from") or None
    if given is None and not on_the_network(listener):
        return ()
    if given is None and questions.silent:
        questions.refuse(f"--yes with --listener {listener} needs --allow-from")
    why = (
        "Which machines may connect? The networks of your printers and servers, separated by "
        "commas, such as 192.168.7.0/24; all others are refused."
    )
    check = networks_for(listener)
    return questions.ask("allow_from", why, "Networks", check, example="127.0.0.0/8")


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


def _with_ids(questions: Questions, account: Account) -> tuple[Account, str | None]:
    credential = credential_of(account)
    if isinstance(credential, ManagedIdentity):
        return account, None
    if not account.client_id:
        why = "The id from the registration. Enter: add it to the file later."
        client_id = questions.ask("client_id", why, "Application (client) ID", an_id, NO_ID)
        account = replace(account, client_id=client_id)
    if not isinstance(credential, ClientSecret) or questions.silent:
        return account, None
    if questions.given("client_secret_file"):
        return account, None
    return _with_secret(questions, account, credential)


def _with_secret(
    questions: Questions, account: Account, credential: ClientSecret
) -> tuple[Account, str | None]:
    assert isinstance(credential.source, SecretFile)  # noqa: S101 (made above)
    place = credential.source.path
    why = f"The secret's value will be written to {place}. Enter: add it later."
    secret = questions.secret(why, no_secret_id)
    if not secret:
        return account, None
    if credential.ends_at is None:
        why = "The day on which it expires, so that the relay can warn you. Enter: not known."
        ends = questions.ask("client_secret_expires", why, "Day", day_or_nothing, "")
        if ends:
            credential = replace(credential, ends_at=_first_moment(ends))
    return _with_credential(account, credential), secret


def _with_credential(account: Account, credential: Credential) -> Account:
    scenario = account.scenario
    assert isinstance(scenario, Application)  # noqa: S101 (only applications have one)
    return replace(account, scenario=replace(scenario, credential=credential))
