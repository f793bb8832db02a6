"""The command line of sendmail, as existing programs use it.

Options that decide about senders and recipients are honoured; those that tune sendmail itself
(`-odb`, `-C FILE`, `-X FILE`, `-O Name=value`) are accepted and ignored. So the options by which
injected arguments could write files of an attacker's choice in other programs of this name are
harmless.

Options come before recipients, as with getopt(3) in POSIX: after the first recipient, or after
`--`, everything is a recipient.
"""

import os

from graphrelay.sendmail.stop import Stop

_FLAGS = frozenset("EGIUcimnstvx")
_WITH_ARGUMENT = frozenset("ABCDFLMNORVXbefhopr")
"""Options whose argument is attached or the next word."""
_ATTACHED_ONLY = frozenset("dqQ")
"""Options whose argument, if any, is attached."""
_MODES = {
    "m": "deliver",
    "s": "smtp",
    "p": "list",
    "i": "nothing",
}
_NO_MODE = {
    "d": "does not run a daemon; start the relay with: graphrelay serve",
    "D": "does not run a daemon; start the relay with: graphrelay serve",
    "v": "cannot verify addresses; send a message to find out",
    "t": "has no address test mode",
    "h": "does not keep host status",
    "H": "does not keep host status",
    "a": "does not support the ARPANET protocol; -bs is SMTP",
}
_NOTIFY = frozenset({"success", "failure", "delay"})
_NAMES = {"mailq": "list", "newaliases": "nothing"}
"""Other names of the program."""


class Options:
    """The parsed command line."""

    __slots__ = (
        "dot_ends",
        "envelope_id",
        "from_header",
        "full_name",
        "mode",
        "notify",
        "quiet",
        "recipients",
        "returned",
        "runs_queue",
        "sender",
        "verbose",
    )

    def __init__(self) -> None:
        self.mode = "deliver"
        """`deliver`, `smtp` (a dialog on standard input and output), `list`, `nothing`."""
        self.recipients: list[str] = []
        self.from_header = False
        """Recipients are in To, Cc and Bcc as well (`-t`)."""
        self.dot_ends = True
        """A line with only a dot ends the message (without `-i`)."""
        self.sender: str | None = None
        """The envelope sender as given (`-f`)."""
        self.full_name = ""
        self.envelope_id = ""
        self.returned = ""
        self.notify = ""
        self.quiet = False
        self.verbose = False
        self.runs_queue = False


def parse(arguments: list[str]) -> Options:
    """Read `sys.argv`. Raises `Stop` with EX_USAGE."""
    options = Options()
    options.mode = _NAMES.get(os.path.basename(arguments[0]), "deliver")  # noqa: PTH119 (start-up)
    words = arguments[1:]
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        _read_word(options, word[1:], words)
    options.recipients = words
    if options.runs_queue and options.mode == "deliver" and not (words or options.from_header):
        options.mode = "nothing"
    return options


def _read_word(options: Options, letters: str, following: list[str]) -> None:
    """One word of the command line: flags, and at most one option with an argument at its end."""
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in _FLAGS:
            _flag(options, letter)
        elif letter in _ATTACHED_ONLY:
            options.runs_queue |= letter == "q"
            return
        elif letter in _WITH_ARGUMENT:
            if not letters and not following:
                raise Stop(os.EX_USAGE, f"option -{letter} needs an argument")
            _argument(options, letter, letters or following.pop(0))
            return
        else:
            raise Stop(os.EX_USAGE, f"unknown option -{letter}; see sendmail(8)")


def _flag(options: Options, letter: str) -> None:
    match letter:
        case "t":
            options.from_header = True
        case "i":
            options.dot_ends = False
        case "v":
            options.verbose = True
        case "I":
            options.mode = "nothing"


def _argument(options: Options, letter: str, value: str) -> None:
    match letter:
        case "f" | "r":
            options.sender = value
        case "F":
            options.full_name = value
        case "b":
            options.mode = _mode(value)
        case "e":
            options.quiet = value[:1] == "q"
        case "o":
            _old_style(options, value)
        case "O":
            name, _, said = value.partition("=")
            if name.strip().lower() == "ignoredots":
                options.dot_ends = said.strip().lower() not in ("true", "t", "yes", "y", "1", "")
        case "V":
            options.envelope_id = value
        case "R":
            options.returned = _one_of(letter, value, {"full", "hdrs"})
        case "N":
            options.notify = _notify(value)


def _old_style(options: Options, value: str) -> None:
    """`-oi`, `-oem` and the like: options from before `-O`."""
    if value == "i":
        options.dot_ends = False
    elif value[:1] == "e":
        options.quiet = value[1:2] == "q"


def _mode(value: str) -> str:
    if value in _MODES:
        return _MODES[value]
    raise Stop(os.EX_USAGE, f"-b{value}: this program {_NO_MODE.get(value, 'has no such mode')}")


def _notify(value: str) -> str:
    wanted = {word.strip().lower() for word in value.split(",")}
    if wanted == {"never"}:
        return "NEVER"
    if not wanted <= _NOTIFY:
        raise Stop(os.EX_USAGE, f"-N {value}: never, or some of success,failure,delay")
    return ",".join(sorted(wanted)).upper()


def _one_of(letter: str, value: str, known: set[str]) -> str:
    if value.lower() not in known:
        raise Stop(os.EX_USAGE, f"-{letter} {value}: one of {', '.join(sorted(known))}")
    return value.upper()
