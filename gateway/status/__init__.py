"""What a gateway says of itself: its status, notices and their rules, Prometheus, and who listens to them."""
