"""graphrelay(1) and graphrelay.toml(5), in mdoc(7).

Nothing is written twice: the first comes from the commands and their help, the second from
config.example.toml, which a test holds to the settings.
"""

import os
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime

import click

_FILES = """.Sh FILES
.Bl -tag -width indent
.It Pa /etc/graphrelay/config.toml
The configuration.
.It Pa /var/lib/graphrelay
The queue, the mail log and the vault.
.It Pa /var/spool/graphrelay
What
.Xr graphrelay-sendmail 8
left while the relay was away.
.El
"""
_ENVIRONMENT = """.Sh ENVIRONMENT
.Bl -tag -width indent
.It Ev GRAPHRELAY_CONFIG
The configuration file, where
.Fl -config
is not given.
.It Ev GRAPHRELAY_TABLE__KEY
Any setting, in place of the one in the file, such as
.Ev GRAPHRELAY_LOG__LEVEL .
.El
"""
_END = """.Sh EXIT STATUS
.Bl -tag -width indent
.It 0
Fine.
.It 1
The answer is no: not authorized, not sent.
.It 2
Wrong usage.
.It 78
The configuration cannot be used.
.El
.Sh SEE ALSO
.Xr graphrelay.toml 5 ,
.Xr graphrelay-sendmail 8
"""


def commands_page(cli: click.Group) -> str:
    """graphrelay(1), with every verb and option."""
    context = click.Context(cli, info_name="graphrelay")
    lines = [
        *_head("GRAPHRELAY", "1", "graphrelay", "SMTP relay to Microsoft 365 through Graph"),
        ".Sh SYNOPSIS",
        ".Nm",
        ".Op Fl -config Ar FILE",
        ".Ar verb",
        ".Op Ar argument ...",
        ".Sh DESCRIPTION",
        *_prose(cli.help or ""),
        *_options(cli, context),
        ".Sh VERBS",
    ]
    for name in cli.list_commands(context):
        if verb := cli.get_command(context, name):
            lines += _verb(verb, name, context)
    return "\n".join(lines) + "\n" + _ENVIRONMENT + _FILES + _END


def _verb(verb: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(verb, parent=parent, info_name=name)
    arguments = [piece for one in verb.params for piece in one.get_usage_pieces(context) if piece]
    yield f".Ss {_argument(' '.join([_path(context), *arguments]))}"
    yield from _prose(verb.help or "")
    yield from _options(verb, context)
    if isinstance(verb, click.Group):
        for below in verb.list_commands(context):
            if command := verb.get_command(context, below):
                yield from _verb(command, below, context)


def _path(context: click.Context) -> str:
    """`queue list`, without the program's name."""
    return context.command_path.partition(" ")[2]


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [
        record
        for one in command.params
        if isinstance(one, click.Option) and (record := one.get_help_record(context))
    ]
    if records:
        yield ".Bl -tag -width indent"
        for names, text in records:
            yield f".It {_argument(names)}"
            yield from _prose(text)
        yield ".El"


def settings_page(example: str) -> str:
    """graphrelay.toml(5), from the text of config.example.toml."""
    lines = [
        *_head("GRAPHRELAY.TOML", "5", "graphrelay.toml", "settings of graphrelay"),
        ".Sh DESCRIPTION",
        "The configuration of",
        ".Xr graphrelay 1 ,",
        "a TOML file:",
        ".Pa /etc/graphrelay/config.toml",
        "where nothing else is said.",
        "An unknown key is an error;",
        ".Ql graphrelay check-config",
        "shows all errors at once.",
        "The value beside a key is its default, or an example where there is none.",
        ".Pp",
        "Any key may be given by the environment instead, such as",
        ".Ev GRAPHRELAY_CLOUD__CA_FILE ,",
        "and a secret by a systemd credential named like",
        ".Ql accounts.alerts.client_secret .",
        ".Bl -tag -width indent",
        *_settings(example),
        ".El",
    ]
    return "\n".join(lines) + "\n" + _FILES + ".Sh SEE ALSO\n.Xr graphrelay 1\n"


_TABLE = re.compile(r"(?:# )?(\[\[?[a-z_.]+\]\]?)$")
_KEY = re.compile(r"(?:# )?([a-z][a-z0-9_]* = .*)$")


def _settings(example: str) -> Iterator[str]:
    """Items of a list whose tables are headings: the comment above a key becomes the text below its
    name, once for consecutive keys."""
    said: list[str] = []
    keys: list[str] = []
    _preface, _, rest = example.partition("\n\n")
    for line in [*rest.splitlines(), ""]:
        table, key = _TABLE.match(line), _KEY.match(line)
        if key:
            keys.append(key[1])
            continue
        if keys:
            yield from _setting(keys, said)
            said, keys = [], []
        if table:
            yield from (".El", f".Ss {_argument(table[1])}", *_prose(" ".join(said)))
            yield ".Bl -tag -width indent"
            said = []
        elif line.startswith("#   "):
            said.append(f"\n\n{line.removeprefix('#').strip()}")
        elif line.startswith("#"):
            said.append(line.removeprefix("#").strip())
        elif said:
            said.append("\n\n")


def _setting(keys: list[str], said: list[str]) -> Iterator[str]:
    for key in keys[:-1]:
        yield f".It Li {_argument(key)}"
    yield f".It Li {_argument(keys[-1])}"
    yield from _prose(" ".join(said))


def _head(title: str, section: str, name: str, what: str) -> list[str]:
    made = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.fromtimestamp(int(made), UTC) if made else datetime.now(UTC)
    return [
        f".Dd {day:%B} {day.day}, {day.year}",
        f".Dt {title} {section}",
        ".Os graphrelay",
        ".Sh NAME",
        f".Nm {name}",
        f".Nd {what}",
    ]


def _prose(text: str) -> Iterator[str]:
    """Paragraphs as mdoc wants them: each sentence on a line of its own."""
    for number, part in enumerate(filter(str.strip, text.split("\n\n"))):
        if part.lstrip(" \n").startswith("\b"):  # click's mark: lines stay as they are
            yield ".Bd -literal -offset indent"
            yield from map(_line, part.replace("\b", "").strip("\n").splitlines())
            yield ".Ed"
            continue
        if number:
            yield ".Pp"
        paragraph = " ".join(part.split())
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z`])", paragraph):
            for line in textwrap.wrap(
                _safe(sentence), 78, break_long_words=False, break_on_hyphens=False
            ):
                yield f"\\&{line}" if line.startswith((".", "'")) else line


def _line(text: str) -> str:
    safe = _safe(text)
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe


def _safe(text: str) -> str:
    """Escaped, so that no character is special to roff; `code` is bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fP", text)


def _argument(text: str) -> str:
    """One argument of a macro."""
    return '"' + _safe(text).replace('"', "\\(dq") + '"'
