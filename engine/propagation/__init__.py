"""Who passes it on, and how far it goes: edge probabilities, the explainable formula, a cascade's size."""
