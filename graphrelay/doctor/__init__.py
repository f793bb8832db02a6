"""`graphrelay doctor`: what the relay assumes of Microsoft, tried with a real account.

    plan ── consent ──▶ check ──▶ check ──▶ … ──▶ clean up ──▶ table, and a redacted file
                          │
                          └── Examination: requests (all recorded), letters (each sent once)

What always holds: mail goes to the account's own mailbox and to the address that was given, and to
nobody else; the one exception is an address below `.invalid`, which nobody can have (RFC 2606).
Nothing is sent before a person has agreed to the plan, and no letter is ever sent a second time,
whatever came of the first. `checks.py` is the table of all checks, `assumptions.py` says what each
of them assumes; there is one file for each family of checks.
"""
