"""What systemd expects: readiness, status line, journal."""
