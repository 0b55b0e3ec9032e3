"""Text from a language model: how a token is chosen from logits (filters), the loop that reads and chooses (decode), and a leaner
model for a CPU (fast)."""
