"""Rules without I/O: who may send as whom, when the next attempt is made, how recipients are
divided, how much a lane may send."""
