"""Whole meetings in memory: sessions, real server cores, a network and clocks that a scene turns.

- `world`: a server and its participants; `servers`: further servers, cuts between chosen members and servers
- `mallory`, `liars`, `dishonest`, `announcing`: members that sign what no honest program would
- `tale`: who really did what; `truth`: whether a sentence that a person was told is true, judged by it
- `patches`: attributes that are replaced for a while

Tests play in these worlds, and so does ``snug bench availability``. All time and all randomness come from the
world, so a scene is the same in every run.
"""
