"""The ids of Microsoft Graph's permissions, which `az` needs
(https://learn.microsoft.com/graph/permissions-reference)."""

from types import MappingProxyType

GRAPH = "00000003-0000-0000-c000-000000000000"
"""The application id of Microsoft Graph, the same in every tenant and cloud."""

SCOPES = MappingProxyType(
    {
        "Mail.Send": "e383f46e-2787-4529-855e-0e479a3ffac0",
        "Mail.Send.Shared": "a367ab51-6b49-43bf-a716-a1fb06d2a174",
        "Mail.Read": "570282fd-fa5c-430d-a7fd-fc8dc98a9dca",
        "Mail.Read.Shared": "7b9103a5-4610-446b-9670-80643382c1fa",
        "Mail.ReadWrite": "024d486e-b451-40bb-833d-3e66d98c5c73",
        "Mail.ReadWrite.Shared": "5df07973-7d5d-46ed-9847-1271055cbd51",
        "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    }
)
ROLES = MappingProxyType(
    {
        "Mail.Send": "b633e1c5-b582-4048-a93e-9f11b44c7e96",
        "Mail.Read": "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
        "Mail.ReadWrite": "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
    }
)
