"""What sendmail does, once it is known what its caller wants."""

import os
import sys

from graphrelay.sendmail import drop, header, local, message, smtp
from graphrelay.sendmail.envelope import Envelope, safe
from graphrelay.sendmail.message import Message
from graphrelay.sendmail.options import Options, parse
from graphrelay.sendmail.stop import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "unix:/run/graphrelay/smtp.sock"
DROP_FOLDER = "/var/spool/graphrelay/drop"


class Places:
    """Where the relay is."""

    def __init__(self, environment: "Mapping[str, str]") -> None:
        self.socket = environment.get("GRAPHRELAY_SOCKET") or SOCKET
        self.drop_folder = environment.get("GRAPHRELAY_DROP") or DROP_FOLDER


class Taken:
    """Safe: with the relay, or in the drop folder."""

    def __init__(self, said: str) -> None:
        self.said = said


def run(arguments: list[str], environment: "Mapping[str, str]") -> int:
    """All of it. Raises `Stop`, `OSError`."""
    options = parse(arguments)
    places = Places(environment)
    match options.mode:
        case "deliver":
            try:
                taken = _deliver(options, places)
            except Stop as stop:
                stop.quiet = options.quiet
                raise
            if options.verbose:
                sys.stdout.write(f"{taken.said}\n")
        case "smtp":
            from graphrelay.sendmail.dialog import Dialog

            return Dialog(sys.stdin.buffer, sys.stdout.buffer, places, options).converse()
        case "list":
            raise Stop(os.EX_UNAVAILABLE, "what waits is shown by: graphrelay queue list")
    return os.EX_OK


def hand_over(envelope: Envelope, written: Message, places: Places) -> Taken | smtp.Refused:
    """To the relay, else into the drop folder. Raises `Stop` with EX_TEMPFAIL for neither."""
    outcome = smtp.submit(places.socket, envelope, written)
    match outcome:
        case smtp.Sent():
            return Taken(str(outcome.reply))
        case smtp.Refused():
            return outcome
    waiting = envelope.to(outcome.recipients)
    try:
        names = drop.leave(places.drop_folder, waiting, written)
    except OSError as error:
        raise Stop(
            os.EX_TEMPFAIL,
            f"{outcome.reason}; and {places.drop_folder}, where it would wait for that, "
            f"cannot take it either: {error.strerror or error}",
        ) from error
    return Taken(f"{outcome.reason}; it waits in {places.drop_folder} as {', '.join(names)}")


def _deliver(options: Options, places: Places) -> Taken:
    if not (options.recipients or options.from_header):
        raise Stop(os.EX_USAGE, "no recipients: name them behind the options, or use -t")
    sender = safe(local.sender_address(options.sender))
    named = [address for word in options.recipients for address in _in_word(word)]
    written = _read(dot_ends=options.dot_ends)
    try:
        envelope = _envelope(options, sender, named, written)
        if options.full_name and not header.has(written.head, "from"):
            written.put_before(_from_line(options.full_name, sender))
        taken = hand_over(envelope, written, places)
    finally:
        written.close()
    if isinstance(taken, smtp.Refused):
        raise Stop(smtp.exit_status(taken.reply, taken.whom), str(taken))
    return taken


def _read(*, dot_ends: bool) -> Message:
    try:
        return message.read(0, dot_ends=dot_ends)
    except OSError as error:
        raise Stop(os.EX_IOERR, f"the message cannot be read: {error.strerror}") from error


def _envelope(options: Options, sender: str, named: list[str], written: Message) -> Envelope:
    if options.from_header:
        named = named + header.recipients(written.head)
        if not named:
            raise Stop(os.EX_USAGE, "no recipients in To, Cc or Bcc, nor on the command line")
    recipients = local.resolved([safe(address) for address in named])
    envelope = Envelope(sender, [safe(address) for address in recipients])
    envelope.envelope_id, envelope.returned = options.envelope_id, options.returned
    envelope.notify = options.notify
    return envelope


def _in_word(word: str) -> list[str]:
    """One argument may hold several addresses, and names: `Anna <anna@example.org>`."""
    safe(word.replace("<", "").replace(">", ""))
    found = header.addresses(os.fsencode(word))
    if not found:
        raise Stop(os.EX_DATAERR, f"{word!r} is no mail address")
    return found


def _from_line(name: str, sender: str) -> bytes:
    """`From: "name" <sender>`, for a message that has none (`-F`)."""
    shown = "".join(one for one in name if one.isprintable() and one not in '"\\')
    if shown.isascii():
        return f'From: "{shown}" <{sender}>\r\n'.encode()
    from base64 import b64encode

    words = [shown[at : at + 11] for at in range(0, len(shown), 11)]
    encoded = (f"=?UTF-8?B?{b64encode(word.encode()).decode()}?=" for word in words)
    return f"From: {' '.join(encoded)} <{sender}>\r\n".encode()
