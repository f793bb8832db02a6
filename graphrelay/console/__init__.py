"""The console: the relay's pages for its admin, in a browser.

    browser ── HTTP ──▶ guard ──▶ page ──▶ verb ──▶ spool, tokens, queue
                          │         └──▶ template
                 access: session, one-time link, form token, where requests come from

Pages use the verbs of the control socket: what a page shows or does, the command line shows or does
as well. Without a session, only the sign-in page is served. A console that fails stops no mail.
"""
