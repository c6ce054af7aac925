"""What nodes say to each other as bytes (docs/formats/internode.md): `handshake` before all, then `frames` of messages."""
