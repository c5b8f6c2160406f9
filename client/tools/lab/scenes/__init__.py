"""All scenes, by theme."""

from snugroom.client.tools.lab.scenes import ending, entering, media, membership, moving, plain, slots
from snugroom.client.tools.lab.scenes.book import SCENES

__all__ = ["SCENES", "ending", "entering", "media", "membership", "moving", "plain", "slots"]
