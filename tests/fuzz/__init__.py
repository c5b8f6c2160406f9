"""Seeded, bounded fuzzing of all code that reads input from others (`make fuzz`)."""
