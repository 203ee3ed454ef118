"""TLS over TCP: hellos, certificates, and what became of the handshake."""
