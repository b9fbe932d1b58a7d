"""Performance figures, measured side by side in one run: `make bench`. Not a test: these depend on the machine."""
