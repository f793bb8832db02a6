"""Graph's mail endpoints on loopback, strict where the real ones are strict.

Everything here follows Microsoft's documents and reports about the real service; where the two
disagree, there is a setting (`mailbox_settings`) or a fault (`graph.faults`).
"""

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.graph.service import GraphService


def register(app: web.Application, cloud: Cloud) -> None:
    """Mount the Graph half."""
    service = GraphService(cloud)
    app.router.add_route("*", "/{version:v1\\.0|beta}/{rest:.*}", service.graph)
    app.router.add_route("*", "/api/v2.0/{rest:.*}", service.upload)
