"""`graphrelay doctor`: what the relay assumes of Microsoft, tried with a real account.

    plan ── consent ──▶ check ──▶ check ──▶ … ──▶ clean up ──▶ table, and a redacted file
                          │
                          └── Examination: requests (all recorded), letters (each sent once)

What always holds: mail is sent only to the account's own mailbox and to the address that was given;
the one exception is an address below `.invalid`, which cannot exist (RFC 2606). Nothing is sent
before a person has agreed to the plan, and no letter is ever sent a second time, whatever the
result of the first. `checks.py` is the table of all checks, `assumptions.py` says what each of them
assumes; there is one file for each family of checks.
"""
