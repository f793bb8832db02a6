"""Hands a message over: to the relay, or to the drop folder while the relay is not running."""

import os

from graphrelay.sendmail import drop, smtp
from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message
from graphrelay.sendmail.stop import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "unix:/run/graphrelay/smtp.sock"
DROP_FOLDER = "/var/spool/graphrelay/drop"


class Places:
    """The relay's socket and drop folder."""

    def __init__(self, environment: "Mapping[str, str]") -> None:
        self.socket = environment.get("GRAPHRELAY_SOCKET") or SOCKET
        self.drop_folder = environment.get("GRAPHRELAY_DROP") or DROP_FOLDER


class Taken:
    """The message was accepted by the relay, or stored in the drop folder."""

    def __init__(self, said: str) -> None:
        self.said = said


def hand_over(envelope: Envelope, written: Message, places: Places) -> Taken | smtp.Refused:
    """To the relay, else to the drop folder. Raises `Stop` with EX_TEMPFAIL if neither is
    possible.
    """
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
