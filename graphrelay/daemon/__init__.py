"""The relay as a process: wiring, signals, systemd."""
