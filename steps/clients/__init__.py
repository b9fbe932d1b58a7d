"""One thin client per outside system: vendor types inside, our own outside."""
