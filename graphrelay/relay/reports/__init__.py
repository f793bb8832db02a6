"""What senders learn of their mail: delivery status notifications, and Exchange's own NDRs read."""
