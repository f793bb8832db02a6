"""SMTP on standard input and output (`-bs`), as Symfony's and Laravel's mailers speak it.

The commands are answered here; the message is handed over like any other, and its final dot gets
the relay's own reply, or `250` if it is in the drop folder. So these clients, too, are served while
the relay is not running.

A client that ends its commands with a bare LF (`printf … | sendmail -bs`) does so in the message as
well; for one that uses CR LF, only CR LF . CR LF ends a message.
"""

import os
import re

from graphrelay.sendmail import local, smtp
from graphrelay.sendmail.envelope import Envelope, safe
from graphrelay.sendmail.handover import hand_over
from graphrelay.sendmail.message import Message
from graphrelay.sendmail.stop import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from graphrelay.sendmail.handover import Places
    from graphrelay.sendmail.options import Options

_LONGEST_LINE = 12_288
_PATH = re.compile(r'\s*+<((?:"(?:[^"\\]|\\.)*+"|[^<>\s"])*+)>\s*+(.*)', re.DOTALL)
_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
_PARAMETERS = frozenset({"BODY", "SIZE", "SMTPUTF8", "AUTH", "RET", "ENVID", "NOTIFY", "ORCPT"})
_OK = "250 2.0.0 Ok"


class Dialog:
    """One conversation."""

    def __init__(
        self, incoming: "IO[bytes]", outgoing: "IO[bytes]", places: "Places", options: "Options"
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._places = places
        self._options = options
        self._greeted = False
        self._envelope: Envelope | None = None

    def converse(self) -> int:
        """Runs until QUIT, or until the client has disconnected. Returns the exit status."""
        self._say(f"220 {os.uname().nodename} ESMTP graphrelay-sendmail")
        while line := self._incoming.readline(_LONGEST_LINE):
            if not line.endswith(b"\n"):
                self._say("500 5.5.2 Command line too long")
                return os.EX_PROTOCOL
            try:
                verb, _, argument = line.strip().decode().partition(" ")
            except UnicodeDecodeError:
                self._say("500 5.6.7 That command is not UTF-8")
                continue
            if verb.upper() == "QUIT":
                self._say("221 2.0.0 Bye")
                return os.EX_OK
            if verb.upper() == "DATA":
                if not self._data(crlf=line.endswith(b"\r\n")):
                    return os.EX_NOINPUT
            elif verb.upper() == "EHLO":
                self._hello()
                words = (os.uname().nodename, *_EXTENSIONS)
                self._say(*(f"250-{word}" for word in words), "250 HELP")
            else:
                self._say(self._answer(verb.upper(), argument.strip()))
        return os.EX_OK

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._outgoing.write(f"{' '.join(line.split())}\r\n".encode("ascii", "replace"))
        self._outgoing.flush()

    def _answer(self, verb: str, argument: str) -> str:
        match verb:
            case "HELO":
                self._hello()
                return f"250 {os.uname().nodename}"
            case "MAIL":
                return self._mail(argument)
            case "RCPT":
                return self._rcpt(argument)
            case "RSET":
                self._envelope = None
                return _OK
            case "NOOP":
                return _OK
            case "VRFY":
                return "252 2.5.0 Cannot verify a mailbox; send the message to find out"
            case "HELP":
                return "214 2.0.0 Commands: DATA EHLO HELO HELP MAIL NOOP QUIT RCPT RSET VRFY"
        return "500 5.5.1 Unknown command; HELP lists the supported ones"

    def _hello(self) -> None:
        self._greeted, self._envelope = True, None

    def _mail(self, argument: str) -> str:
        if not self._greeted:
            return "503 5.5.1 Send EHLO or HELO first"
        if self._envelope is not None:
            return "503 5.5.1 A transaction is already in progress; RSET aborts it"
        found = _path("FROM:", argument)
        if found is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        address, parameters = found
        if unknown := parameters.keys() - _PARAMETERS:
            return f"555 5.5.4 Not known here: {' '.join(sorted(unknown))}"
        returned = parameters.get("RET", self._options.returned).upper()
        if returned not in ("", "FULL", "HDRS"):
            return "501 5.5.4 RET is FULL or HDRS"
        try:
            sender = safe(local.sender_address(address)) if address else ""
        except Stop as stop:
            return f"553 5.1.7 {stop}"
        self._envelope = Envelope(sender, [])
        self._envelope.returned = returned
        self._envelope.envelope_id = self._options.envelope_id
        return "250 2.1.0 Sender ok"

    def _rcpt(self, argument: str) -> str:
        if self._envelope is None:
            return "503 5.5.1 MAIL FROM comes first"
        found = _path("TO:", argument)
        if found is None or not found[0]:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        try:
            for address in local.resolved([safe(found[0])]):
                if safe(address) not in self._envelope.recipients:
                    self._envelope.recipients.append(address)
        except Stop as stop:
            return f"550 5.1.1 {stop}"
        return "250 2.1.5 Recipient ok"

    def _data(self, *, crlf: bool) -> bool:
        """Returns whether the client is still connected."""
        envelope = self._envelope
        if envelope is None or not envelope.recipients:
            self._say("503 5.5.1 MAIL FROM and RCPT TO come first")
            return True
        self._say("354 End data with <CR><LF>.<CR><LF>")
        written = Message()
        try:
            if not self._read_message(written, b"\r\n" if crlf else b"\n"):
                return False
            written.complete()
            self._say(self._sent(envelope, written))
        finally:
            written.close()
        self._envelope = None
        return True

    def _read_message(self, written: Message, line_end: bytes) -> bool:
        """Read up to the final dot. Returns whether there was one."""
        at_start = True
        while line := self._incoming.readline(1 << 16):
            if at_start and line.startswith(b"."):
                if line == b"." + line_end:
                    return True
                line = line[1:]
            written.add(line)
            at_start = line.endswith(line_end)
        return False

    def _sent(self, envelope: Envelope, written: Message) -> str:
        try:
            taken = hand_over(envelope, written, self._places)
        except Stop as stop:
            return f"451 4.3.0 {stop}"
        if isinstance(taken, smtp.Refused):
            reply = taken.reply
            rest = str(taken).replace(f"{reply.code} ", "", 1).replace(reply.status, "", 1)
            return f"{reply.code} {reply.status or '5.0.0'} {' '.join(rest.split())}"
        return taken.said if taken.said.startswith("250 ") else f"{_OK}: {taken.said}"


def _path(keyword: str, argument: str) -> tuple[str, dict[str, str]] | None:
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.fullmatch(argument[len(keyword) :])
    if found is None:
        return None
    words = (word.partition("=") for word in found[2].split())
    return found[1], {name.upper(): value for name, _, value in words}
