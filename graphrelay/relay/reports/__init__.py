"""What senders learn about their mail: delivery status notifications, and NDRs of Exchange."""
