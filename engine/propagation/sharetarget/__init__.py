"""Learning whom to share with: training and evaluation of share targets, and new share links."""
