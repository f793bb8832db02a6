"""The pages for users: plain forms with stable ids, a single script, no external resources.

| page | ids |
| --- | --- |
| sign in | `#email`, `#password`, `#sign-in`, `#cancel`, `#error` |
| consent | `#app-name`, `#scopes`, `#accept`, `#cancel` |
| device code | `#code`, `#next`, `#error` |
| end | `#done`, or `#error` with the AADSTS number in it |
"""

import secrets
from collections.abc import Iterable, Mapping
from html import escape

from aiohttp import web

_STYLE = """
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #eef2f7 }
main { background: #fff; color: #1b1b1b; width: min(26rem, 90vw); padding: 2.5rem;
  border-radius: .5rem; box-shadow: 0 2px 12px #0003; box-sizing: border-box }
h1 { font-size: 1.4rem; margin: 0 0 1rem } p { margin: .5rem 0 } small { color: #555 }
label { display: block; margin: .8rem 0 } input { width: 100%; font: inherit; padding: .4rem;
  box-sizing: border-box } .buttons { display: flex; gap: .5rem; justify-content: flex-end;
  margin-top: 1.5rem } button { font: inherit; padding: .4rem 1.4rem; border: 1px solid #888;
  background: #fff; color: #1b1b1b; border-radius: .2rem; cursor: pointer }
button.main { background: #0f5ea8; border-color: #0f5ea8; color: #fff } #error { color: #a80000 }
"""

SCOPE_TEXTS = {
    "Mail.Send": "Send mail as you",
    "Mail.Send.Shared": "Send mail on behalf of others or yourself",
    "Mail.Read": "Read your mail",
    "Mail.Read.Shared": "Read mail you can access",
    "Mail.ReadBasic": "Read your basic mail",
    "Mail.ReadWrite": "Read and write access to your mail",
    "Mail.ReadWrite.Shared": "Read and write mail you can access",
    "MailboxSettings.Read": "Read your mailbox settings",
    "User.Read": "Sign you in and read your profile",
    "openid": "Sign you in",
    "profile": "View your basic profile",
    "email": "View your email address",
    "offline_access": "Maintain access to data you have given it access to",
}


def sign_in(action: str, flow: str, app_name: str, email: str, problem: str = "") -> web.Response:
    """Email and password."""
    return _page(
        "Sign in",
        f"""<h1>Sign in</h1><p>to continue to
<strong>{escape(app_name)}</strong></p>{_error(problem)}
<form method="post" action="{escape(action)}">{_hidden({"flow": flow})}
<label>Email <input id="email" name="email" type="email" value="{escape(email)}"
  autocomplete="username" required autofocus></label>
<label>Password <input id="password" name="password" type="password"
  autocomplete="current-password" required></label>
<p><small>Every password in the sandbox is <code>pass</code>.</small></p>
<div class="buttons"><button id="cancel" name="choice" value="cancel" formnovalidate>Cancel</button>
<button id="sign-in" class="main" name="choice" value="sign-in">Sign in</button></div></form>""",
    )


def consent(
    action: str, flow: str, app_name: str, upn: str, scopes: Iterable[str], *, device: bool
) -> web.Response:
    """The requested permissions; for a device, also whether the user really started this
    sign-in."""
    rows = "".join(
        f'<li data-scope="{escape(scope)}">{escape(SCOPE_TEXTS[scope])} '
        f"<small>({escape(scope)})</small></li>"
        for scope in sorted(scopes)
    )
    question = "Are you trying to sign in to" if device else "Permissions requested by"
    listed = f'<p>This app would like to:</p><ul id="scopes">{rows}</ul>' if rows else ""
    return _page(
        "Permissions requested",
        f"""<p><small id="user">{escape(upn)}</small></p>
<h1>{question} <span id="app-name">{escape(app_name)}</span>{"?" if device else ""}</h1>{listed}
<form method="post" action="{escape(action)}">{_hidden({"flow": flow})}
<div class="buttons"><button id="cancel" name="choice" value="cancel">Cancel</button>
<button id="accept" class="main" name="choice" value="accept">Accept</button></div></form>""",
    )


def admin_approval(action: str, flow: str, app_name: str, tenant: str) -> web.Response:
    """Users of this tenant may not consent by themselves."""
    return _page(
        "Need admin approval",
        f"""<h1>Need admin approval</h1><p id="error"><strong>{escape(app_name)}</strong> needs
permission to access resources in {escape(tenant)} that only an admin can grant. (AADSTS90094)</p>
<form method="post" action="{escape(action)}">{_hidden({"flow": flow})}
<div class="buttons"><button id="cancel" name="choice" value="cancel">Return to the application
without granting consent</button></div></form>""",
    )


def device_code(problem: str = "") -> web.Response:
    """Where the code that a device shows is entered."""
    return _page(
        "Enter code",
        f"""<h1>Enter code</h1>
<p>Enter the code displayed on your app or device.</p>{_error(problem)}
<form method="post" action="/devicelogin">
<label>Code <input id="code" name="code" autocomplete="off" required autofocus></label>
<div class="buttons"><button id="next" class="main">Next</button></div></form>""",
    )


def done(text: str) -> web.Response:
    """The end of a device's sign-in."""
    return _page("Done", f'<h1 id="done">{escape(text)}</h1><p>You can close this window.</p>')


def refused(text: str) -> web.Response:
    """An error that cannot be sent back to the application, because it is not known or trusted."""
    page = _page(
        "Sign in", f"<h1>Sorry, but we’re having trouble signing you in.</h1>{_error(text)}"
    )
    page.set_status(400)
    return page


def form_post(target: str, fields: Mapping[str, str]) -> web.Response:
    """`response_mode=form_post`: a form that sends itself, with a button where scripts are off."""
    nonce = secrets.token_urlsafe(16)
    return _page(
        "Working",
        f"""<form id="form" method="post" action="{escape(target)}">{_hidden(fields)}
<noscript><button id="continue">Continue</button></noscript></form>
<script nonce="{nonce}">document.getElementById("form").submit()</script>""",
        script=f"'nonce-{nonce}'",
    )


def _error(text: str) -> str:
    return f'<p id="error" role="alert">{escape(text)}</p>' if text else ""


def _hidden(fields: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def _page(title: str, body: str, script: str = "'none'") -> web.Response:
    text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"""
    # No form-action: browsers apply it to the redirect that follows a form as well.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {script}"
    headers = {
        "Cache-Control": "no-store, no-cache",
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)
