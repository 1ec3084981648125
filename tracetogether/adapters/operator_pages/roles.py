"""Who may open which page; what stands here for nobody is denied to all."""

from collections.abc import Mapping
from typing import Final

from tracetogether.authority.access.operators import ALL_ROLES, Role

_DESK: Final = frozenset({Role.ISSUER, Role.TRACER, Role.SUPERVISOR})
_TRACING: Final = frozenset({Role.TRACER, Role.SUPERVISOR})
_ISSUER: Final = frozenset({Role.ISSUER})
_SUPERVISOR: Final = frozenset({Role.SUPERVISOR})
_EXPORTER: Final = frozenset({Role.EXPORTER})
_AUDITOR: Final = frozenset({Role.AUDITOR})

ROLES: Final[Mapping[tuple[str, str], frozenset[Role]]] = {
    ("GET", "/"): ALL_ROLES,
    ("POST", "/sign-out"): ALL_ROLES,
    ("GET", "/cases"): _DESK,
    ("POST", "/cases"): _ISSUER,
    ("GET", "/cases/{case_id}"): _DESK,
    ("GET", "/cases/{case_id}/graph"): _TRACING,
    ("POST", "/cases/{case_id}/pin"): _ISSUER,
    ("POST", "/cases/{case_id}/assign"): _SUPERVISOR,
    ("POST", "/cases/{case_id}/state"): _TRACING,
    ("POST", "/cases/{case_id}/notes"): _TRACING,
    ("POST", "/cases/{case_id}/merge"): _SUPERVISOR,
    ("GET", "/graph"): _TRACING,
    ("GET", "/follow-up"): _TRACING,
    ("GET", "/contacts/{contact_id}"): _TRACING,
    ("POST", "/contacts/{contact_id}/outcome"): _TRACING,
    ("POST", "/contacts/{contact_id}/reach"): _TRACING,
    ("POST", "/contacts/{contact_id}/call"): _TRACING,
    ("POST", "/contacts/{contact_id}/notes"): _TRACING,
    ("POST", "/contacts/{contact_id}/describe"): _TRACING,
    ("POST", "/contacts/{contact_id}/reveal"): _TRACING,
    ("POST", "/contacts/{contact_id}/merge"): _TRACING,
    ("POST", "/contacts/{contact_id}/convert"): _TRACING,
    ("GET", "/exports"): _EXPORTER,
    ("POST", "/exports"): _EXPORTER,
    ("GET", "/audit"): _AUDITOR,
    ("POST", "/audit/verify"): _AUDITOR,
    ("GET", "/keys"): frozenset({Role.KEYHOLDER}),
}
"""Which roles may open a page of somebody who has signed in with password and code."""

OPEN: Final = frozenset({("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/language")})
"""What anybody may open: it tells nothing and changes nothing but who he is."""

ENROLLING: Final = frozenset({("GET", "/enrol"), ("POST", "/enrol"), ("POST", "/sign-out")})
"""What may be opened, and nothing else, after the password and before the first code."""
