"""The API's addresses: one blueprint per resource, thin: check, ask `graph`, answer."""

from __future__ import annotations

from api.console import console
from api.routes.campaigns import campaigns
from api.routes.cascades import cascades
from api.routes.events import events
from api.routes.health import health
from api.routes.influencers import influencers
from api.routes.items import items
from api.routes.jobs import jobs
from api.routes.metrics import metrics
from api.routes.models import models
from api.routes.spread import spread
from api.routes.users import users

BLUEPRINTS = (health, metrics, events, users, items, influencers, campaigns, cascades, spread, jobs, models, console)
