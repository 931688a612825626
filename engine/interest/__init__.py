"""Who wants what: GraphSAGE, a linear item-item model, a plain baseline, and the blend of their scores."""

import os

# libgomp reads this once, when torch is loaded. Threads that spin while they wait made a training step 20 times
# slower on a machine with other work; threads that sleep cost nothing measurable on a quiet one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
