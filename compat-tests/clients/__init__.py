"""What the tests through real clients share, a module for each client."""
