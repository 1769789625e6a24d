"""What the comparison and the cold-start bench have in common: processes, tools, proxies, numbers."""
