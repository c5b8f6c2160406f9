"""All scenes, by theme."""

from client.lab.scenes import ending, entering, media, plain, slots
from client.lab.scenes.book import SCENES

__all__ = ["SCENES", "ending", "entering", "media", "plain", "slots"]
