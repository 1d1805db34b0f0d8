"""Every optimizer, one algorithm a file."""
