"""The drop folder: mail that local programs left while the relay was not running.

    graphrelay-sendmail ──▶ drop/<name>.mail ──▶ Pickup ──▶ Reception.accept ──▶ it is deleted
                                                   └──▶ refused/<name>.mail, and a journal line

A file is an SMTP transaction written down, so it is read with the grammar of the smtp room, and
accepted or refused by the same rules. docs/drop.md says what a crash leaves at each step.
"""

from graphrelay.drop.folder import USUAL, DropFolder, DropUnusable
from graphrelay.drop.pickup import Pickup

__all__ = ["USUAL", "DropFolder", "DropUnusable", "Pickup"]
"""What the daemon needs."""
