"""What holds for any graph and any order of failures, crashes, retries and changes, tried on random ones."""
