"""All scenes, by theme."""

from snugroom.lab.attacks.scenes import ending, entering, media, membership, moving, plain, slots
from snugroom.lab.attacks.scenes.book import SCENES

__all__ = ["SCENES", "ending", "entering", "media", "membership", "moving", "plain", "slots"]
