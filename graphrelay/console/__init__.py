"""The console: the relay's pages for its admin, in a browser.

    browser ── HTTP ──▶ guard ──▶ page ──▶ verb ──▶ spool, tokens, queue
                          │         └──▶ template
                 access: session, one-time link, form token, where requests come from

Pages stand on the verbs of the control socket: what a page shows or does, the command line shows
or does as well. Whoever is not signed in sees the page for signing in and nothing else. A console
that fails stops no mail.
"""
