"""Ask and steer the running daemon."""
