"""Whatever comes: seeded, bounded fuzzing of all that reads what others sent (`make fuzz`)."""
