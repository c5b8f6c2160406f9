"""Inputs, events and effects of a session, by topic: `from snugroom.client.session import events as ev`."""

from snugroom.client.session.events.commands import *  # noqa: F403  # the package is their one name
from snugroom.client.session.events.effects import *  # noqa: F403
from snugroom.client.session.events.events import *  # noqa: F403
from snugroom.client.session.events.inputs import *  # noqa: F403
