"""Traces of meetings: what must stay as it is while names and files change."""
