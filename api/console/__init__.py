"""The web console for growth managers: pages made here, the same reads as the API's, no Cypher and no build step."""

from __future__ import annotations

from api.console import plans
from api.console.pages import console

__all__ = ["console", "plans"]
