"""Traces of meetings and hashes of vectors. They stay equal while names and files change."""
