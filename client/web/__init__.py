"""The meeting page's sources (TypeScript), and what builds them."""
