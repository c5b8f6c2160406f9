"""The sources of the meeting page (TypeScript), and their build."""
