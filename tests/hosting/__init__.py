"""Operators' pages and files, executed as written on machines of the test's own."""
