"""Learning from pictures, sounds and texts: one registry of networks, their weights, and the ways to learn with them. It
knows no payments, and no web; what it fills is read by ``artifact`` without it."""
