"""The page that shows what arrived, as a mail reader would, and the same as JSON for programs.

/                                    the reader (static, no resource from elsewhere)
/api/messages            GET         newest first; ?limit, ?before; ?after: what is newer
                         DELETE      forget everything
/api/messages/{n}        GET         one message, taken apart
/api/messages/{n}/raw    GET         as submitted; ?of=delivered: as recipients got it
/api/messages/{n}/html   GET         its HTML, for a frame in which nothing can run
/api/messages/{n}/attachments/{k}    GET
/api/faults              GET, PUT    what the cloud does wrong on purpose
/api/stats               GET         how often each Message-ID was submitted, and more
/api/events              GET         server-sent events: something changed
"""

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.page.api import PageApi
from graphrelay.sandbox.page.guard import guarded
from graphrelay.sandbox.page.reader import add_reader


def register(app: web.Application, cloud: Cloud) -> None:
    """Mount the page, at the root of an application of its own."""
    app.middlewares.append(guarded)
    add_reader(app)
    PageApi(cloud).register(app)
