"""The phases' functions, grouped as the guide groups them; each is a short list of steps."""
