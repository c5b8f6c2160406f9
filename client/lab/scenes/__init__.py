"""All scenes, by theme."""

from snugroom.client.lab.scenes import ending, entering, media, plain, slots
from snugroom.client.lab.scenes.book import SCENES

__all__ = ["SCENES", "ending", "entering", "media", "plain", "slots"]
