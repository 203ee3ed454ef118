"""What values mean, whatever the product: addresses of flows, URLs, command lines, names."""
