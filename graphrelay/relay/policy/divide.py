"""Divides the recipients after one of many was refused, so that the others get the message. Pure.

Graph refuses the whole request (ErrorInvalidRecipients), and does not say reliably which recipient
is the reason. So the recipients are divided, and each piece becomes a submission that is recorded,
retried and reported separately. Nothing was sent before, so nobody receives it twice.

    500 ─▶ 8 × 63 ─▶ the one that was refused: 8 × 8 ─▶ 8 × 1 ─▶ refused: reported

One bad address among 500 costs 25 requests, each further one at most 16 more. If all 500 are bad,
it is about 580, the maximum: no piece is ever sent twice.
"""

from graphrelay.model import Address, Failed, Submission

PIECES = 8
_ONE_OF_THEM = {"errorinvalidrecipients"}
_TOO_MANY = {"errorrecipientlimitexceeded"}

Recipients = tuple[Address, ...]


def pieces(failed: Failed, submission: Submission) -> tuple[Recipients, ...]:
    """The pieces to divide the recipients into; none if that would not help."""
    recipients = submission.envelope.forward_paths
    if len(recipients) < 2 or submission.plan.redirect_to:
        return ()
    code = failed.answer.code.casefold()
    if code in _ONE_OF_THEM:
        return _divided(recipients, PIECES)
    if code in _TOO_MANY:
        return _divided(recipients, 2)
    return ()


def _divided(recipients: Recipients, most: int) -> tuple[Recipients, ...]:
    """At most this many pieces, whose sizes differ by one at most."""
    count = min(most, len(recipients))
    ends = [len(recipients) * number // count for number in range(count + 1)]
    return tuple(recipients[ends[n] : ends[n + 1]] for n in range(count))
