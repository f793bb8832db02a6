"""How the program ends when it is interrupted."""

import os

from graphrelay.sendmail.stop import Stop


def test_it_carries_an_exit_status_and_a_sentence() -> None:
    stop = Stop(os.EX_USAGE, "no recipients")
    assert (stop.status, str(stop), stop.quiet) == (64, "no recipients", False)
    assert Stop(os.EX_TEMPFAIL, "later", quiet=True).quiet
