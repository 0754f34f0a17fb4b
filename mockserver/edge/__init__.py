"""Where sockets, files, people and real time come in."""
